//! Calls to imported functions become the functions' bodies.
//!
//! A macro sees one item at a time. A helper function therefore leaves its bytes in a constant, a
//! section leaves bytes with numbered calls, and the compiler puts one after the other. Reading those
//! bytes replaces each call by a block with locals of its own, so that a [`Module`] in memory, and every
//! lowering of it, knows no calls.

use crate::types::*;

/// Most statements and expressions that linking may make, so that functions that call each other often
/// cannot grow without end.
pub const MAX_NODES: u64 = 1 << 20;

/// A function without slices: scalars in, one scalar out.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Name in the source.
    pub name: String,
    /// The first this many locals are its parameters.
    pub params: u16,
    /// Its locals.
    pub locals: Vec<Local>,
    /// Its local arrays.
    pub arrays: Vec<Array>,
    /// Statements before the result.
    pub body: Vec<Stmt>,
    /// The result.
    pub value: Expr,
    /// How many functions it calls; their bytes follow its own.
    pub imports: u16,
}

/// Why functions do not fit the calls.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A number without a function.
    #[error("import {0} is called and does not follow")]
    Import(u16),
    /// Another number of arguments.
    #[error("`{name}` takes {takes} arguments, a call gives {given}")]
    Arguments {
        /// The function.
        name: String,
        /// How many it takes.
        takes: usize,
        /// How many it is given.
        given: usize,
    },
    /// A number of a local or an array that does not exist, or too many of them.
    #[error("`{0}` numbers its locals wrongly")]
    Locals(String),
    /// More than [`MAX_NODES`].
    #[error("linking makes more than {MAX_NODES} statements and expressions")]
    Size,
}

type Result<T> = std::result::Result<T, LinkError>;

/// A function whose own calls are linked.
#[derive(Clone, Debug, PartialEq)]
pub struct Linked(Function);

impl Linked {
    /// Links the calls of a function; takes what that makes off `budget`.
    ///
    /// # Errors
    /// [`LinkError`] if the imports do not fit.
    pub fn new(function: Function, imports: &[Linked], budget: &mut u64) -> Result<Self> {
        let Function {
            name,
            params,
            mut locals,
            mut arrays,
            body,
            value,
            imports: _,
        } = function;
        let mut linker = Linker::new(imports, &mut locals, &mut arrays, budget);
        let (body, value) = (linker.block(&body)?, linker.expr(&value)?);
        if usize::from(params) > locals.len() {
            return Err(LinkError::Locals(name));
        }
        Ok(Self(Function {
            name,
            params,
            locals,
            arrays,
            body,
            value,
            imports: 0,
        }))
    }
}

/// Replaces every call of a module; takes what that makes off `budget`.
///
/// # Errors
/// [`LinkError`] if the imports do not fit.
pub fn link(module: Module, imports: &[Linked], budget: &mut u64) -> Result<Module> {
    if imports.is_empty() {
        return Ok(module);
    }
    let (mut locals, mut arrays) = (module.locals, module.arrays);
    let mut linker = Linker::new(imports, &mut locals, &mut arrays, budget);
    let (prelude, body) = (linker.block(&module.prelude)?, linker.block(&module.body)?);
    Ok(Module {
        locals,
        arrays,
        prelude,
        body,
        ..module
    })
}

/// Copies a tree; inside a function's body all numbers are moved behind the caller's.
struct Linker<'a> {
    imports: &'a [Linked],
    locals: &'a mut Vec<Local>,
    arrays: &'a mut Vec<Array>,
    /// Where the numbers of the tree being copied begin, and how many of each it may use.
    base: (usize, usize),
    count: (usize, usize),
    name: &'a str,
    budget: &'a mut u64,
}

impl<'a> Linker<'a> {
    fn new(
        imports: &'a [Linked],
        locals: &'a mut Vec<Local>,
        arrays: &'a mut Vec<Array>,
        budget: &'a mut u64,
    ) -> Self {
        let count = (locals.len(), arrays.len());
        Self {
            imports,
            locals,
            arrays,
            base: (0, 0),
            count,
            name: "the caller",
            budget,
        }
    }

    fn node(&mut self) -> Result<()> {
        *self.budget = self.budget.checked_sub(1).ok_or(LinkError::Size)?;
        Ok(())
    }

    fn local(&self, id: LocalId) -> Result<LocalId> {
        self.moved(id.0, self.base.0, self.count.0).map(LocalId)
    }

    fn array(&self, id: ArrayId) -> Result<ArrayId> {
        self.moved(id.0, self.base.1, self.count.1).map(ArrayId)
    }

    fn moved(&self, id: u16, base: usize, count: usize) -> Result<u16> {
        let inside = usize::from(id) < count;
        let moved = u16::try_from(usize::from(id) + base).ok();
        moved
            .filter(|_| inside)
            .ok_or_else(|| LinkError::Locals(self.name.to_owned()))
    }

    fn block(&mut self, stmts: &[Stmt]) -> Result<Vec<Stmt>> {
        stmts.iter().map(|stmt| self.stmt(stmt)).collect()
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<Stmt> {
        self.node()?;
        Ok(match stmt {
            Stmt::Set(id, value) => Stmt::Set(self.local(*id)?, self.expr(value)?),
            Stmt::Store(param, value) => Stmt::Store(*param, self.expr(value)?),
            Stmt::If(condition, yes, no) => {
                Stmt::If(self.expr(condition)?, self.block(yes)?, self.block(no)?)
            }
            Stmt::For {
                var,
                start,
                end,
                body,
            } => Stmt::For {
                var: self.local(*var)?,
                start: self.expr(start)?,
                end: self.expr(end)?,
                body: self.block(body)?,
            },
            Stmt::Loop(body) => Stmt::Loop(self.block(body)?),
            Stmt::Break => Stmt::Break,
            Stmt::Continue => Stmt::Continue,
            Stmt::Fault => Stmt::Fault,
            Stmt::Fill(id, value) => Stmt::Fill(self.array(*id)?, self.expr(value)?),
            Stmt::Accumulate(param, index, value) => {
                Stmt::Accumulate(*param, self.expr(index)?, self.expr(value)?)
            }
            Stmt::SetElement(id, index, value) => {
                Stmt::SetElement(self.array(*id)?, self.expr(index)?, self.expr(value)?)
            }
        })
    }

    fn boxed(&mut self, e: &Expr) -> Result<Box<Expr>> {
        self.expr(e).map(Box::new)
    }

    fn expr(&mut self, e: &Expr) -> Result<Expr> {
        self.node()?;
        Ok(match e {
            Expr::Const(_) | Expr::Scalar(_) | Expr::Len(_) | Expr::LoadOwn(_) => e.clone(),
            Expr::Local(id) => Expr::Local(self.local(*id)?),
            Expr::Load(param, index) => Expr::Load(*param, self.boxed(index)?),
            Expr::Unary(op, a) => Expr::Unary(*op, self.boxed(a)?),
            Expr::Binary(op, a, b) => Expr::Binary(*op, self.boxed(a)?, self.boxed(b)?),
            Expr::Compare(op, a, b) => Expr::Compare(*op, self.boxed(a)?, self.boxed(b)?),
            Expr::And(a, b) => Expr::And(self.boxed(a)?, self.boxed(b)?),
            Expr::Or(a, b) => Expr::Or(self.boxed(a)?, self.boxed(b)?),
            Expr::If(c, a, b) => Expr::If(self.boxed(c)?, self.boxed(a)?, self.boxed(b)?),
            Expr::Block(stmts, value) => Expr::Block(self.block(stmts)?, self.boxed(value)?),
            Expr::Cast(ty, a) => Expr::Cast(*ty, self.boxed(a)?),
            Expr::Bits(ty, a) => Expr::Bits(*ty, self.boxed(a)?),
            Expr::MulAdd(a, b, c) => Expr::MulAdd(self.boxed(a)?, self.boxed(b)?, self.boxed(c)?),
            Expr::Element(id, index) => Expr::Element(self.array(*id)?, self.boxed(index)?),
            Expr::Call(import, args) => self.call(*import, args)?,
        })
    }

    /// The arguments go to the function's first locals, in order; then its body runs.
    fn call(&mut self, import: u16, args: &[Expr]) -> Result<Expr> {
        let imports = self.imports;
        let Some(Linked(function)) = imports.get(usize::from(import)) else {
            return Err(LinkError::Import(import));
        };
        if args.len() != usize::from(function.params) {
            return Err(LinkError::Arguments {
                name: function.name.clone(),
                takes: usize::from(function.params),
                given: args.len(),
            });
        }
        let args: Vec<_> = args.iter().map(|a| self.expr(a)).collect::<Result<_>>()?;
        let base = (self.locals.len(), self.arrays.len());
        self.locals.extend(function.locals.iter().cloned());
        self.arrays.extend(function.arrays.iter().cloned());
        let outside = (self.base, self.count, self.name);
        (self.base, self.count) = (base, (function.locals.len(), function.arrays.len()));
        self.name = &function.name;
        let mut stmts = Vec::with_capacity(args.len() + function.body.len());
        for (n, value) in args.into_iter().enumerate() {
            stmts.push(Stmt::Set(self.local(LocalId(n as u16))?, value));
        }
        stmts.extend(self.block(&function.body)?);
        let value = self.boxed(&function.value)?;
        (self.base, self.count, self.name) = outside;
        Ok(Expr::Block(stmts, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode, encode_function, encode_unlinked, testing, validate};

    fn double() -> Function {
        let x = || Box::new(Expr::Local(LocalId(0)));
        Function {
            name: "double".into(),
            params: 1,
            locals: vec![Local {
                name: "x".into(),
                ty: Type::F32,
            }],
            arrays: vec![],
            body: vec![],
            value: Expr::Binary(BinOp::Add, x(), x()),
            imports: 0,
        }
    }

    /// A function that calls `double`, and a module that calls it: bytes one after the other.
    fn bytes(module_imports: u16) -> Vec<u8> {
        let twice = Function {
            value: Expr::Call(0, vec![Expr::Call(0, vec![Expr::Local(LocalId(0))])]),
            name: "quadruple".into(),
            imports: 1,
            ..double()
        };
        let call = Expr::Call(0, vec![Expr::LoadOwn(ParamId(1))]);
        let module = testing::module(vec![Stmt::Store(ParamId(1), call)]);
        [
            encode_unlinked(&module, module_imports).bytes,
            encode_function(&twice).bytes,
            encode_function(&double()).bytes,
        ]
        .concat()
    }

    #[test]
    fn bytes_one_after_the_other_are_a_module_without_calls() {
        let module = validate(decode(&bytes(1)).unwrap()).unwrap();
        let slice = |v: f32| crate::interp::Arg::Slice(v.to_le_bytes().to_vec());
        let mut args = [slice(0.0), slice(1.25)];
        crate::interp::run(&module, &mut args, 0, 1, 1000).unwrap();
        assert_eq!(args[1], slice(5.0));
        let locals = module.locals.len();
        assert_eq!(locals, 3 + 1 + 2, "each call has locals of its own");
    }

    #[test]
    fn numbers_may_be_written_later_and_longer() {
        let mut module = testing::module(vec![]);
        let name = String::from("a");
        module.arrays = [5, 200]
            .map(|len| Array {
                name: name.clone(),
                ty: Type::F32,
                len,
            })
            .into();
        module.body = vec![Stmt::Fill(ArrayId(0), Expr::Const(Value::F32(2.5)))];
        let unlinked = encode_unlinked(&module, 0);
        let number = |n| hotsled_abi::number(n).to_vec();
        let mut bytes = unlinked.bytes;
        bytes.splice(
            unlinked.constants[0].clone(),
            number(u64::from(1.5f32.to_bits())),
        );
        bytes.splice(unlinked.lens[1].clone(), number(2048));
        module.arrays[1].len = 2048;
        module.body = vec![Stmt::Fill(ArrayId(0), Expr::Const(Value::F32(1.5)))];
        assert_eq!(decode(&bytes), Ok(module));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let missing = link(testing::module(vec![]), &[], &mut MAX_NODES.clone());
        assert!(missing.is_ok());
        assert!(decode(&bytes(0)).is_err(), "bytes follow");
        let linked = |imports: &[Linked], args| {
            let function = Function {
                value: Expr::Call(0, args),
                ..double()
            };
            Linked::new(function, imports, &mut MAX_NODES.clone()).unwrap_err()
        };
        assert_eq!(linked(&[], vec![]), LinkError::Import(0));
        let double = [Linked::new(double(), &[], &mut MAX_NODES.clone()).unwrap()];
        assert!(matches!(
            linked(&double, vec![]),
            LinkError::Arguments {
                takes: 1,
                given: 0,
                ..
            }
        ));
        let stray = vec![Expr::Local(LocalId(7))];
        assert!(matches!(linked(&double, stray), LinkError::Locals(_)));
    }

    #[test]
    fn growth_is_limited() {
        let mut linked = Linked::new(double(), &[], &mut MAX_NODES.clone()).unwrap();
        let grown = (0..40).try_for_each(|_| {
            let once = || Expr::Call(0, vec![Expr::Local(LocalId(0))]);
            let function = Function {
                value: Expr::Binary(BinOp::Add, Box::new(once()), Box::new(once())),
                ..double()
            };
            linked = Linked::new(
                function,
                std::slice::from_ref(&linked),
                &mut MAX_NODES.clone(),
            )?;
            Ok(())
        });
        assert!(matches!(grown, Err(LinkError::Size | LinkError::Locals(_))));
    }
}
