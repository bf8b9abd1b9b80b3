//! Random expressions of a type.

use crate::section::Body;
use crate::ty::Ty;

impl Body {
    /// An expression of a type, of at most this depth.
    pub fn expr(&mut self, ty: Ty, depth: u32) -> String {
        if depth == 0 || self.dice.once_in(6) {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.dice.below(13) {
            0 => self.choice(ty, depth),
            1 => self.by_match(ty, depth),
            2 => self.block(ty, depth),
            _ if ty == Ty::Bool => self.condition(depth),
            3..=4 => self.cast(ty, depth),
            5 => self.gathered(ty, depth),
            6..=7 => self.method(ty, depth),
            8 => self.helped(ty, depth),
            _ => self.operation(ty, depth),
        }
    }

    /// A name or a number.
    fn leaf(&mut self, ty: Ty) -> String {
        let known = self.known(ty);
        if known.is_empty() || self.dice.once_in(4) {
            return ty.literal(&mut self.dice);
        }
        self.dice.pick(&known).clone()
    }

    fn choice(&mut self, ty: Ty, depth: u32) -> String {
        let condition = self.expr(Ty::Bool, depth);
        let (yes, no) = (self.expr(ty, depth), self.expr(ty, depth));
        format!("(if {condition} {{ {yes} }} else {{ {no} }})")
    }

    fn by_match(&mut self, ty: Ty, depth: u32) -> String {
        let on = self.number(|ty| ty.is_integer() && ty != Ty::Usize);
        let value = self.expr(on, depth);
        let name = on.name();
        let [low, middle, high] = [3, 10, 40].map(|n| n + self.dice.below(n));
        let [a, b, c, d] = [(); 4].map(|()| self.expr(ty, depth));
        format!(
            "(match {value} {{ 0{name} | 2{name} => {a}, {low}..={middle} => {b}, {high}.. => {c}, _ => {d} }})"
        )
    }

    /// A helper's value, of a tuple and a scalar.
    fn helped(&mut self, ty: Ty, depth: u32) -> String {
        let [low, high, by] = [(); 3].map(|()| self.expr(ty, depth));
        let (value, ty) = (self.fresh(), ty.name());
        format!("{{ let {value}: {ty} = data::between_{ty}(({low}, {high}), {by}); {value} }}")
    }

    /// A block whose locals end with it.
    fn block(&mut self, ty: Ty, depth: u32) -> String {
        let held = self.number(|_| true);
        let value = self.expr(held, depth);
        let name = self.fresh();
        let mark = self.mark();
        self.declare(&name, held, false);
        let result = self.expr(ty, depth);
        self.forget_since(mark);
        format!("{{ let {name}: {} = {value}; {result} }}", held.name())
    }

    fn condition(&mut self, depth: u32) -> String {
        let ty = self.number(|_| true);
        match self.dice.below(6) {
            0 => format!("(!{})", self.expr(Ty::Bool, depth)),
            1 | 2 => {
                let (a, b) = (self.expr(Ty::Bool, depth), self.expr(Ty::Bool, depth));
                format!("({a} {} {b})", self.dice.pick(&["&&", "||"]))
            }
            3 => {
                let ty = self.number(Ty::is_float);
                let test = self.dice.pick(&["is_nan", "is_finite", "is_sign_negative"]);
                let test = test.to_string();
                format!("({}).{test}()", self.typed(ty, depth))
            }
            _ => {
                let (a, b) = (self.typed(ty, depth), self.expr(ty, depth));
                let compare = self.dice.pick(&["<", "<=", ">", ">=", "==", "!="]);
                format!("({a} {compare} {b})")
            }
        }
    }

    fn cast(&mut self, ty: Ty, depth: u32) -> String {
        let from = self.number(|_| true);
        if ty.is_integer() && self.dice.once_in(8) {
            return format!("({} as {})", self.expr(Ty::Bool, depth), ty.name());
        }
        format!("({} as {})", self.typed(from, depth), ty.name())
    }

    /// An input's element anywhere, or a byte of one that is narrow.
    fn gathered(&mut self, ty: Ty, depth: u32) -> String {
        let place = self.expr(Ty::Usize, depth);
        let (input, elem) = self.input(ty);
        let index = match self.dice.once_in(200) {
            true => place, // most likely beyond the end
            false => format!("({place}) % {input}.len()"),
        };
        match elem == ty.name() {
            true => format!("{input}[{index}]"),
            false => format!("({input}[{index}] as {})", ty.name()),
        }
    }

    fn operation(&mut self, ty: Ty, depth: u32) -> String {
        let a = self.typed(ty, depth);
        let b = self.expr(ty, depth);
        if ty.is_float() {
            let operator = self.dice.pick(&["+", "-", "*", "/", "%"]);
            return format!("({a} {operator} {b})");
        }
        match self.dice.below(11) {
            0..=5 => format!("({a} {} {b})", self.dice.pick(&["+", "-", "*"])),
            6 | 7 => format!("({a} {} {b})", self.dice.pick(&["&", "|", "^"])),
            8 => format!("({a} {} {b})", self.dice.pick(&["<<", ">>"])),
            9 if ty.is_signed() => format!("(-{a})"),
            9 => format!("(!{a})"),
            _ => format!(
                "({a} {} (({b}) | 1{}))",
                self.dice.pick(&["/", "%"]),
                ty.name()
            ),
        }
    }

    fn method(&mut self, ty: Ty, depth: u32) -> String {
        let a = self.typed(ty, depth);
        let (b, c) = (self.expr(ty, depth), self.expr(ty, depth));
        if ty.is_float() {
            return match self.dice.below(4) {
                0 => {
                    let name = self
                        .dice
                        .pick(&["min", "max", "copysign", "hypot", "atan2"]);
                    format!("({a}).{name}({b})")
                }
                1 => format!("({a}).mul_add({b}, {c})"),
                2 => format!("({a}).powi({}i32)", self.dice.below(9) as i64 - 4),
                _ => {
                    let unary = [
                        "abs", "sqrt", "floor", "ceil", "round", "trunc", "fract", "signum",
                        "recip", "exp", "exp2", "ln", "log2", "log10", "sin", "cos", "tan", "atan",
                        "tanh",
                    ];
                    format!("({a}).{}()", self.dice.pick(&unary))
                }
            };
        }
        match self.dice.below(5) {
            0 => format!(
                "({a}).{}({b})",
                self.dice
                    .pick(&["min", "max", "wrapping_add", "wrapping_mul"])
            ),
            1 => format!(
                "({a}).{}({b})",
                self.dice
                    .pick(&["saturating_add", "saturating_sub", "saturating_mul"])
            ),
            2 => {
                let name =
                    self.dice
                        .pick(&["checked_add", "checked_sub", "checked_mul", "checked_div"]);
                format!("({a}).{name}({b}).unwrap_or({c})")
            }
            3 => format!(
                "({a}).rotate_left({}u32)",
                self.dice.below(u64::from(ty.bits()))
            ),
            _ => {
                let count = ["leading_zeros", "trailing_zeros", "count_ones"];
                format!("(({a}).{}() as {})", self.dice.pick(&count), ty.name())
            }
        }
    }

    /// An expression whose type is plain from itself, as one before a dot, a comparison or `as` must be.
    fn typed(&mut self, ty: Ty, depth: u32) -> String {
        let value = self.expr(ty, depth);
        match value.starts_with('{') {
            true => format!("({value})"),
            false => value,
        }
    }
}
