//! Bytes to module. Never panics, never allocates more than the bytes can account for.

use crate::encode::{MAGIC, VERSION};
use crate::link::{Function, LinkError, Linked, MAX_NODES, link};
use crate::types::*;

/// Deepest nesting of statements and expressions.
pub const MAX_DEPTH: u32 = 200;

/// Longest name in bytes.
const MAX_NAME: u64 = 255;

/// Why bytes are no module, and at which offset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end in the middle.
    #[error("the bytes end at offset {at}, in the middle of {what}")]
    End {
        /// Offset.
        at: usize,
        /// What was being read.
        what: &'static str,
    },
    /// Not a virtual-ISA module at all.
    #[error("the bytes do not start with HSIR")]
    Magic,
    /// A form this build does not read.
    #[error("form {0} is unknown (this build reads {VERSION})")]
    Version(u8),
    /// A number that means nothing here.
    #[error("offset {at}: {value} is no {what}")]
    Unknown {
        /// Offset.
        at: usize,
        /// What was expected.
        what: &'static str,
        /// What was there.
        value: u64,
    },
    /// Nested deeper than `MAX_DEPTH`.
    #[error("offset {at}: nested deeper than {MAX_DEPTH}")]
    Depth {
        /// Offset.
        at: usize,
    },
    /// A name that is not UTF-8.
    #[error("offset {at}: a name is not UTF-8")]
    Name {
        /// Offset.
        at: usize,
    },
    /// The functions that follow the module do not fit its calls.
    #[error("linking: {0}")]
    Link(#[from] LinkError),
    /// Bytes after the end.
    #[error("{extra} bytes follow the module")]
    Trailing {
        /// How many.
        extra: usize,
    },
}

type Result<T> = std::result::Result<T, DecodeError>;

/// Reads the binary form and links it. The module is not validated.
///
/// # Errors
/// [`DecodeError`] names the offset.
pub fn decode(bytes: &[u8]) -> Result<Module> {
    let mut input = In {
        bytes,
        at: 0,
        depth: 0,
        nodes: MAX_NODES,
    };
    if input.take(4, "magic")? != MAGIC {
        return Err(DecodeError::Magic);
    }
    let version = input.byte("version")?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let module = Module {
        name: input.text()?,
        params: input.many(In::param)?,
        locals: input.many(In::local)?,
        arrays: input.many(In::array)?,
        index: LocalId(input.id("local")?),
        prelude: input.block()?,
        body: input.block()?,
    };
    let imports = input.many(In::function)?;
    match bytes.len() - input.at {
        0 => Ok(link(module, &imports, &mut input.nodes)?),
        extra => Err(DecodeError::Trailing { extra }),
    }
}

struct In<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    /// Statements and expressions that linking may still make.
    nodes: u64,
}

impl<'a> In<'a> {
    fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8]> {
        let end = self
            .at
            .checked_add(n)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or(DecodeError::End {
            at: self.bytes.len(),
            what,
        })?;
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn byte(&mut self, what: &'static str) -> Result<u8> {
        Ok(self.take(1, what)?[0])
    }

    fn number(&mut self, what: &'static str) -> Result<u64> {
        let (start, mut n) = (self.at, 0u64);
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            n |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(DecodeError::Unknown {
            at: start,
            what,
            value: n,
        })
    }

    fn id(&mut self, what: &'static str) -> Result<u16> {
        let at = self.at;
        let value = self.number(what)?;
        u16::try_from(value).map_err(|_| DecodeError::Unknown { at, what, value })
    }

    fn text(&mut self) -> Result<String> {
        let at = self.at;
        let value = self.number("name length")?;
        if value > MAX_NAME {
            let what = "name length";
            return Err(DecodeError::Unknown { at, what, value });
        }
        let at = self.at;
        let bytes = self.take(value as usize, "name")?;
        String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::Name { at })
    }

    /// A counted list. The count is not trusted with an allocation: each item takes a byte at least.
    fn many<T>(&mut self, item: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.number("count")?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn choose<T: Copy>(&mut self, what: &'static str, all: &[T]) -> Result<T> {
        let at = self.at;
        let value = self.byte(what)?;
        let found = all.get(usize::from(value)).copied();
        found.ok_or(DecodeError::Unknown {
            at,
            what,
            value: u64::from(value),
        })
    }

    fn ty(&mut self) -> Result<Type> {
        self.choose("type", &Type::ALL)
    }

    fn elem(&mut self) -> Result<Elem> {
        self.choose("element type", &Elem::ALL)
    }

    fn param(&mut self) -> Result<Param> {
        let name = self.text()?;
        let kind = match self.choose("parameter kind", &[0, 1, 2, 3])? {
            0 => ParamKind::Scalar(self.ty()?),
            1 => ParamKind::Input(self.elem()?),
            2 => ParamKind::Own(self.elem()?),
            _ => ParamKind::Accumulator(self.elem()?, self.choose("operation", &AccOp::ALL)?),
        };
        Ok(Param { name, kind })
    }

    fn local(&mut self) -> Result<Local> {
        Ok(Local {
            name: self.text()?,
            ty: self.ty()?,
        })
    }

    fn array(&mut self) -> Result<Array> {
        let (name, ty, at) = (self.text()?, self.ty()?, self.at);
        let value = self.number("array length")?;
        let len = u32::try_from(value).map_err(|_| DecodeError::Unknown {
            at,
            what: "array length",
            value,
        })?;
        Ok(Array { name, ty, len })
    }

    /// A function and the functions that follow it because it calls them.
    fn function(&mut self) -> Result<Linked> {
        self.deeper(|input| {
            let function = Function {
                name: input.text()?,
                params: input.id("parameter count")?,
                locals: input.many(In::local)?,
                arrays: input.many(In::array)?,
                body: input.block()?,
                value: input.expr()?,
                imports: 0,
            };
            let imports = input.many(In::function)?;
            Ok(Linked::new(function, &imports, &mut input.nodes)?)
        })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(DecodeError::Depth { at: self.at });
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn block(&mut self) -> Result<Vec<Stmt>> {
        self.many(|input| input.deeper(Self::stmt))
    }

    fn stmt(&mut self) -> Result<Stmt> {
        Ok(
            match self.choose("statement", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])? {
                0 => Stmt::Set(LocalId(self.id("local")?), self.expr()?),
                1 => Stmt::Store(ParamId(self.id("parameter")?), self.expr()?),
                2 => Stmt::If(self.expr()?, self.block()?, self.block()?),
                3 => Stmt::For {
                    var: LocalId(self.id("local")?),
                    start: self.expr()?,
                    end: self.expr()?,
                    body: self.block()?,
                },
                4 => Stmt::Loop(self.block()?),
                5 => Stmt::Break,
                6 => Stmt::Continue,
                7 => Stmt::Fault,
                8 => Stmt::Fill(ArrayId(self.id("array")?), self.expr()?),
                9 => Stmt::SetElement(ArrayId(self.id("array")?), self.expr()?, self.expr()?),
                _ => Stmt::Accumulate(ParamId(self.id("parameter")?), self.expr()?, self.expr()?),
            },
        )
    }

    fn expr(&mut self) -> Result<Expr> {
        self.deeper(Self::expr_here)
    }

    fn boxed(&mut self) -> Result<Box<Expr>> {
        self.expr().map(Box::new)
    }

    fn expr_here(&mut self) -> Result<Expr> {
        Ok(
            match self.choose(
                "expression",
                &[
                    0u8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
                ],
            )? {
                0 => Expr::Const(self.constant()?),
                1 => Expr::Local(LocalId(self.id("local")?)),
                2 => Expr::Scalar(ParamId(self.id("parameter")?)),
                3 => Expr::Len(ParamId(self.id("parameter")?)),
                4 => Expr::Load(ParamId(self.id("parameter")?), self.boxed()?),
                5 => Expr::LoadOwn(ParamId(self.id("parameter")?)),
                6 => Expr::Unary(self.unary()?, self.boxed()?),
                7 => Expr::Binary(self.binary()?, self.boxed()?, self.boxed()?),
                8 => Expr::Compare(self.compare()?, self.boxed()?, self.boxed()?),
                9 => Expr::And(self.boxed()?, self.boxed()?),
                10 => Expr::Or(self.boxed()?, self.boxed()?),
                11 => Expr::If(self.boxed()?, self.boxed()?, self.boxed()?),
                12 => Expr::Block(self.block()?, self.boxed()?),
                13 => Expr::Cast(self.ty()?, self.boxed()?),
                14 => Expr::Bits(self.ty()?, self.boxed()?),
                15 => Expr::MulAdd(self.boxed()?, self.boxed()?, self.boxed()?),
                16 => Expr::Element(ArrayId(self.id("array")?), self.boxed()?),
                _ => Expr::Call(self.id("import")?, self.many(In::expr)?),
            },
        )
    }

    fn unary(&mut self) -> Result<UnOp> {
        self.choose("unary operator", &UnOp::ALL)
    }

    fn binary(&mut self) -> Result<BinOp> {
        self.choose("binary operator", &BinOp::ALL)
    }

    fn compare(&mut self) -> Result<CmpOp> {
        self.choose("comparison", &CmpOp::ALL)
    }

    fn constant(&mut self) -> Result<Value> {
        let ty = self.ty()?;
        let at = self.at;
        let bits = self.number("constant")?;
        let narrow = || u32::try_from(bits);
        let unknown = |_| DecodeError::Unknown {
            at,
            what: "constant of its type",
            value: bits,
        };
        Ok(match ty {
            Type::Bool if bits < 2 => Value::Bool(bits == 1),
            Type::Bool => {
                return Err(DecodeError::Unknown {
                    at,
                    what: "bool",
                    value: bits,
                });
            }
            Type::I32 => Value::I32(narrow().map_err(unknown)? as i32),
            Type::U32 => Value::U32(narrow().map_err(unknown)?),
            Type::F32 => Value::F32(f32::from_bits(narrow().map_err(unknown)?)),
            Type::I64 => Value::I64(bits as i64),
            Type::U64 => Value::U64(bits),
            Type::F64 => Value::F64(f64::from_bits(bits)),
        })
    }
}
