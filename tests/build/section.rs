//! A random section and the test that calls it.

use crate::dice::Dice;
use crate::ty::Ty;

/// Which types a section's values have: whole groups of indices run only where all are of one width.
#[derive(Clone, Copy)]
enum Width {
    Narrow,
    Wide,
    Mixed,
}

/// Inputs by the type of their elements: name, element, type of a value.
const INPUTS: [(&str, &str, Ty); 8] = [
    ("xf", "f32", Ty::F32),
    ("xd", "f64", Ty::F64),
    ("xi", "i32", Ty::I32),
    ("xu", "u32", Ty::U32),
    ("xl", "i64", Ty::I64),
    ("xq", "u64", Ty::U64),
    ("xb", "u8", Ty::U32),
    ("xh", "i16", Ty::I32),
];

const OWNS: [(&str, Ty); 5] = [
    ("yf", Ty::F32),
    ("yd", Ty::F64),
    ("yi", Ty::I32),
    ("yu", Ty::U32),
    ("yq", Ty::U64),
];

/// A loop body that is being written: what it may name.
pub struct Body {
    pub dice: Dice,
    width: Width,
    locals: Vec<Local>,
    names: u32,
}

struct Local {
    name: String,
    ty: Ty,
    mutable: bool,
}

impl Body {
    fn fits(&self, ty: Ty) -> bool {
        match self.width {
            Width::Narrow => ty.bits() == 32,
            Width::Wide => ty.bits() == 64,
            Width::Mixed => true,
        }
    }

    /// Types of numbers that its values have.
    pub fn numbers(&self) -> Vec<Ty> {
        let fits = |ty: &Ty| self.fits(*ty);
        Ty::NUMBERS.into_iter().filter(fits).collect()
    }

    /// One of them that passes.
    pub fn number(&mut self, passes: fn(Ty) -> bool) -> Ty {
        let numbers: Vec<Ty> = self
            .numbers()
            .into_iter()
            .filter(|ty| passes(*ty))
            .collect();
        *self.dice.pick(&numbers)
    }

    fn inputs(&self) -> Vec<(&'static str, &'static str, Ty)> {
        let fits = |input: &(_, _, Ty)| self.fits(input.2);
        INPUTS.into_iter().filter(fits).collect()
    }

    fn owns(&self) -> Vec<(&'static str, Ty)> {
        OWNS.into_iter().filter(|own| self.fits(own.1)).collect()
    }

    /// Everything of a type that has a name here, or is an element at the loop's own index.
    pub fn known(&self, ty: Ty) -> Vec<String> {
        let locals = self.locals.iter().filter(|l| l.ty == ty);
        let mut known: Vec<String> = locals.map(|l| l.name.clone()).collect();
        for (input, elem, _) in self.inputs() {
            if elem == ty.name() {
                known.push(format!("{input}[i]"));
            }
        }
        if ty == Ty::Usize {
            known.push("i".into());
        }
        known
    }

    /// A local of a type that may be assigned.
    pub fn mutable(&mut self, ty: Ty) -> Option<String> {
        let mutable = self.locals.iter().filter(|l| l.ty == ty && l.mutable);
        let names: Vec<String> = mutable.map(|l| l.name.clone()).collect();
        (!names.is_empty()).then(|| self.dice.pick(&names).clone())
    }

    /// An input to read a value of a type from, and what its elements are.
    pub fn input(&mut self, ty: Ty) -> (&'static str, &'static str) {
        let inputs = self.inputs();
        let same: Vec<_> = inputs
            .iter()
            .filter(|(_, _, of)| *of == ty)
            .copied()
            .collect();
        let (name, elem, _) = *self
            .dice
            .pick(if same.is_empty() { &inputs } else { &same });
        (name, elem)
    }

    pub fn own(&mut self) -> (&'static str, Ty) {
        *self.dice.pick(&self.owns())
    }

    pub fn fresh(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    pub fn declare(&mut self, name: &str, ty: Ty, mutable: bool) {
        let name = name.to_owned();
        self.locals.push(Local { name, ty, mutable });
    }

    pub fn mark(&self) -> usize {
        self.locals.len()
    }

    pub fn forget_since(&mut self, mark: usize) {
        self.locals.truncate(mark);
    }
}

/// The source of section `n` and of its test.
pub fn source(seed: u64, n: u64) -> String {
    let mut body = Body {
        dice: Dice::new(seed.wrapping_mul(1_000_003).wrapping_add(n)),
        width: [Width::Narrow, Width::Wide, Width::Mixed][(n % 3) as usize],
        locals: Vec::new(),
        names: 0,
    };
    for (name, ty) in [
        ("a", Ty::F32),
        ("b", Ty::F64),
        ("c", Ty::I32),
        ("d", Ty::U64),
    ] {
        if body.fits(ty) {
            body.declare(name, ty, false);
        }
    }
    let scalars: Vec<(String, Ty)> = body.locals.iter().map(|l| (l.name.clone(), l.ty)).collect();
    let lines = body.stmts(5 + n % 4, 2);
    let last: String = (body.owns().into_iter())
        .map(|(own, ty)| format!("{own}[i] = {};\n", body.expr(ty, 3)))
        .collect();
    let (inputs, owns) = (body.inputs(), body.owns());
    let first = owns[0].0;
    let mut params: Vec<String> = scalars
        .iter()
        .map(|(s, ty)| format!("{s}: {}", ty.name()))
        .collect();
    params.extend(inputs.iter().map(|(x, elem, _)| format!("{x}: &[{elem}]")));
    params.extend(
        owns.iter()
            .map(|(y, ty)| format!("{y}: &mut [{}]", ty.name())),
    );
    let params = params.join(", ");
    let scalar = |(s, _): &(String, Ty)| format!("data::{s}()");
    let scalars: Vec<String> = scalars.iter().map(scalar).collect();
    let xs: Vec<&str> = inputs.iter().map(|x| x.0).collect();
    let ys: Vec<&str> = owns.iter().map(|y| y.0).collect();
    let made = |x: &&str| format!("let {x} = data::{x}();\n");
    let own = |y: &&str| format!("let mut {y} = data::{y}();\n");
    let data: String = xs.iter().map(made).chain(ys.iter().map(own)).collect();
    format!(
        "#[hotsled::section]\nfn section_{n}({params}) {{\n\
         'all: for i in parallel(0..{first}.len()) {{\n{lines}{last}}}\n}}\n\n\
         #[test]\nfn random_{n}() {{\n{data}agree!(section_{n}({}; {}; {}));\n}}\n\n",
        scalars.join(", "),
        xs.join(", "),
        ys.join(", "),
    )
}
