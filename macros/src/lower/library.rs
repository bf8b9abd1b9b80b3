//! Operations that are written in the section language itself.
//!
//! Math functions stand in `hotsled_ir::math`: the CPU runs that source as Rust, devices run what this
//! crate lowers it to. What std defines exactly has a template here, for devices only, in which `T` is
//! the receiver's type and `U` the unsigned integer of its width; the CPU runs std's own.

use syn::ItemFn;

use super::{LoweredFunction, Names, function as lower_function};
use crate::infer::Ty;

const TEMPLATES: &str = "
fn pow(a: T, n: u32) -> T {
    let mut value = 1;
    let mut base = a;
    let mut left = n;
    while left != 0 {
        if left & 1 == 1 {
            value = value * base;
        }
        base = base * base;
        left = left >> 1;
    }
    value
}

fn rem_euclid(a: T, b: T) -> T {
    let zero = 0i32 as T;
    let r = a % b;
    if r < zero {
        if b < zero { r - b } else { r + b }
    } else {
        r
    }
}

fn div_euclid(a: T, b: T) -> T {
    let q = a / b;
    if a % b < 0 {
        if b > 0 { q - 1 } else { q + 1 }
    } else {
        q
    }
}

fn div_ceil(a: T, b: T) -> T {
    let q = a / b;
    if a % b > 0 { q + 1 } else { q }
}

fn signum(a: T) -> T {
    ((a > 0) as i32 - (a < 0) as i32) as T
}

fn signum_float(a: T) -> T {
    if a.is_nan() { a } else { (1.0 as T).copysign(a) }
}

fn copysign(a: T, b: T) -> T {
    let sign = 1 << (U::BITS - 1);
    T::from_bits((a.to_bits() & !sign) | (b.to_bits() & sign))
}

fn is_nan(a: T) -> bool {
    a != a
}

fn is_infinite(a: T) -> bool {
    a.abs() == T::INFINITY
}

fn is_finite(a: T) -> bool {
    a.abs() < T::INFINITY
}

fn is_sign_negative(a: T) -> bool {
    a.to_bits() >> (U::BITS - 1) != 0
}

fn is_sign_positive(a: T) -> bool {
    a.to_bits() >> (U::BITS - 1) == 0
}

fn fract(a: T) -> T {
    a - a.trunc()
}

fn recip(a: T) -> T {
    1.0 / a
}

fn trailing_zeros(a: T) -> u32 {
    (!a & (a - 1)).count_ones()
}

fn count_zeros(a: T) -> u32 {
    (!a).count_ones()
}

fn leading_ones(a: T) -> u32 {
    (!a).leading_zeros()
}

fn trailing_ones(a: T) -> u32 {
    (a & !(a + 1)).count_ones()
}

fn is_power_of_two(a: T) -> bool {
    a.count_ones() == 1
}

fn rotate_left(a: T, n: u32) -> T {
    let bits = a as U;
    ((bits << n) | (bits >> (U::BITS - n))) as T
}

fn rotate_right(a: T, n: u32) -> T {
    let bits = a as U;
    ((bits >> n) | (bits << (U::BITS - n))) as T
}

fn abs_diff(a: T, b: T) -> U {
    if a < b { b as U - a as U } else { a as U - b as U }
}

fn unsigned_abs(a: T) -> U {
    if a < 0 { (-a) as U } else { a as U }
}

fn wrapping_neg(a: T) -> T {
    0 - a
}

fn saturating_add(a: T, b: T) -> T {
    let sum = a + b;
    if sum < a { T::MAX } else { sum }
}

fn saturating_add_signed(a: T, b: T) -> T {
    let sum = a + b;
    if (a ^ sum) & (b ^ sum) < 0 {
        if a < 0 { T::MIN } else { T::MAX }
    } else {
        sum
    }
}

fn saturating_sub(a: T, b: T) -> T {
    if a < b { 0 } else { a - b }
}

fn saturating_sub_signed(a: T, b: T) -> T {
    let difference = a - b;
    if (a ^ b) & (a ^ difference) < 0 {
        if a < 0 { T::MIN } else { T::MAX }
    } else {
        difference
    }
}

fn saturating_mul(a: T, b: T) -> T {
    if a != 0 && b > T::MAX / a { T::MAX } else { a * b }
}

fn saturating_mul_signed(a: T, b: T) -> T {
    let negative = (a < 0) != (b < 0);
    let most = if negative { T::MIN } else { T::MAX };
    let limit = most.unsigned_abs();
    let size = a.unsigned_abs();
    if size != 0 && b.unsigned_abs() > limit / size { most } else { a * b }
}

fn fits_add(a: T, b: T) -> bool {
    a + b >= a
}

fn fits_add_signed(a: T, b: T) -> bool {
    (b < 0) == (a + b < a)
}

fn fits_sub(a: T, b: T) -> bool {
    b <= a
}

fn fits_sub_signed(a: T, b: T) -> bool {
    (b > 0) == (a - b < a)
}

fn fits_mul(a: T, b: T) -> bool {
    if a == 0 { true } else { b <= T::MAX / a }
}

fn fits_mul_signed(a: T, b: T) -> bool {
    let negative = (a < 0) != (b < 0);
    let most = if negative { T::MIN } else { T::MAX };
    let size = a.unsigned_abs();
    if size == 0 { true } else { b.unsigned_abs() <= most.unsigned_abs() / size }
}

fn fits_div(a: T, b: T) -> bool {
    b != 0
}

fn fits_div_signed(a: T, b: T) -> bool {
    b != 0 && (b != -1 || a != T::MIN)
}

fn fits_rem(a: T, b: T) -> bool {
    b != 0
}

fn fits_rem_signed(a: T, b: T) -> bool {
    b != 0 && (b != -1 || a != T::MIN)
}
";

/// The template of this name.
pub fn template(name: &str) -> Option<ItemFn> {
    let head = format!("fn {name}(");
    let text = TEMPLATES
        .split("\n\n")
        .find(|text| text.trim_start().starts_with(&head))?;
    syn::parse_str(text).ok()
}

/// The math function of this name.
pub fn function(name: &str) -> Option<ItemFn> {
    let source = hotsled_ir::math::SOURCE;
    let start = source.find(&format!("pub fn {name}("))?;
    let len = source[start..].find("\n}\n")? + 2;
    syn::parse_str(&source[start..start + len]).ok()
}

/// What a template's type names stand for.
pub fn types(of: Ty) -> [(&'static str, Ty); 2] {
    [("T", of), ("U", of.unsigned())]
}

/// Lowers a function of the library.
///
/// # Errors
/// When it is not of the section language: an error of this crate, not of the user.
pub fn lower(item: &ItemFn, of: Ty) -> syn::Result<LoweredFunction> {
    let types = types(of);
    let names = Names {
        types: &types,
        library: true,
        fast: false,
    };
    lower_function(item, names)
}

#[cfg(test)]
mod tests {
    use syn::Item;

    use super::*;

    #[test]
    fn every_template_and_function_lowers() {
        let names = |source: &str| {
            let file = syn::parse_file(source).unwrap();
            let name = |item: Item| match item {
                Item::Fn(item) => Some(item),
                _ => None,
            };
            file.items.into_iter().filter_map(name).collect::<Vec<_>>()
        };
        for item in names(hotsled_ir::math::SOURCE) {
            if let Err(error) = lower(&item, Ty::F64) {
                panic!("{}: {error}", item.sig.ident);
            }
            assert!(function(&item.sig.ident.to_string()).is_some());
        }
        for item in names(TEMPLATES) {
            let any = [Ty::F32, Ty::F64, Ty::I32, Ty::I64, Ty::U32, Ty::U64]
                .iter()
                .any(|ty| lower(&item, *ty).is_ok());
            assert!(any, "{}", item.sig.ident);
            assert!(template(&item.sig.ident.to_string()).is_some());
        }
    }
}
