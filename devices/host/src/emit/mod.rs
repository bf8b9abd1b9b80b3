//! The virtual ISA walked once for all targets that have no compiler of their own behind them.
//!
//! [`Target`] is what differs: plain operations, variables, structured control. Everything that Rust's
//! semantics add to a plain operation (checks, saturation, the order of NaN and of zeros) is here, so that
//! SPIR-V and PTX cannot disagree about it.

mod array;
mod bits;
mod cast;
mod check;
mod expr;
mod float;
mod plain;
mod replaced;
mod stmt;

use hotsled_ir::{
    AccOp, BinOp, CmpOp, Elem, LocalId, Module, ParamId, ParamKind, Type, UnOp, Valid, Value,
};

use crate::args::{self, Layout};
use crate::cannot::Cannot;

pub use plain::Plain;
pub use replaced::Replaced;

pub(crate) type Result<T = ()> = std::result::Result<T, Cannot>;

/// A machine that runs one function for each index.
pub(crate) trait Target {
    /// A computed value.
    type Value: Copy;
    /// A variable of the function.
    type Variable: Copy;
    /// An array of the function.
    type Array: Copy;

    fn constant(&mut self, value: Value) -> Result<Self::Value>;
    fn variable(&mut self, ty: Type) -> Result<Self::Variable>;
    fn get(&mut self, ty: Type, variable: Self::Variable) -> Self::Value;
    fn set(&mut self, variable: Self::Variable, value: Self::Value);

    fn array(&mut self, ty: Type, len: u32) -> Result<Self::Array>;
    /// The element at a `U64` index that is inside.
    fn get_element(&mut self, ty: Type, array: Self::Array, at: Self::Value) -> Self::Value;
    fn set_element(&mut self, ty: Type, array: Self::Array, at: Self::Value, value: Self::Value);

    /// A word of the argument block, `U64`.
    fn word(&mut self, n: usize) -> Self::Value;
    /// Number of this invocation within the dispatch, `U64`.
    fn invocation(&mut self) -> Self::Value;

    /// Loads an element, widened to its value type. `shared`: other invocations write its neighbours.
    fn load(&mut self, elem: Elem, address: Self::Value, shared: bool) -> Result<Self::Value>;
    /// Stores an element; other invocations store its neighbours.
    fn store(&mut self, elem: Elem, address: Self::Value, value: Self::Value) -> Result;

    /// Combines an element of an accumulator in one atomic step, in any order with others.
    fn combine(
        &mut self,
        op: AccOp,
        elem: Elem,
        address: Self::Value,
        value: Self::Value,
    ) -> Result;

    /// `a * b + c` of floats, rounded once.
    fn mul_add(
        &mut self,
        ty: Type,
        a: Self::Value,
        b: Self::Value,
        c: Self::Value,
    ) -> Result<Self::Value>;
    /// `Not`, and of floats `Sqrt`, `Floor`, `Ceil`.
    fn unary(&mut self, op: UnOp, ty: Type, a: Self::Value) -> Result<Self::Value>;
    /// `Add Sub Mul Div`, and of integers and `Bool` `And Or Xor`, of integers `Shl Shr`, of unsigned ones
    /// `Rem`.
    /// Divisors are good and shift counts below the width.
    fn binary(
        &mut self,
        op: BinOp,
        ty: Type,
        a: Self::Value,
        b: Self::Value,
    ) -> Result<Self::Value>;
    fn compare(
        &mut self,
        op: CmpOp,
        ty: Type,
        a: Self::Value,
        b: Self::Value,
    ) -> Result<Self::Value>;
    fn select(
        &mut self,
        ty: Type,
        condition: Self::Value,
        yes: Self::Value,
        no: Self::Value,
    ) -> Self::Value;
    /// Between number types; a float that becomes an integer is in range.
    fn convert(&mut self, from: Type, to: Type, a: Self::Value) -> Result<Self::Value>;
    /// The same bits as another type of the same width.
    fn reinterpret(&mut self, from: Type, to: Type, a: Self::Value) -> Self::Value;

    /// What the machine is not asked for.
    fn replaced(&self) -> Replaced {
        Replaced::NONE
    }

    fn begin_if(&mut self, condition: Self::Value);
    fn begin_else(&mut self);
    fn end_if(&mut self);
    fn begin_loop(&mut self);
    /// As `begin_loop`, of a loop whose turns no compiler should write out one after the other.
    fn begin_rolled(&mut self) {
        self.begin_loop();
    }
    /// As `begin_loop`, of a loop that is left in one place only.
    fn begin_counted(&mut self) {
        self.begin_loop();
    }
    /// Whether the machine may end a loop that runs long. One that `begin_loop` opened then faults by itself.
    fn cuts(&self) -> bool {
        false
    }
    /// The same value, about which nothing is known from where it was looked at before.
    fn afresh(&mut self, _ty: Type, value: Self::Value) -> Self::Value {
        value
    }
    /// Where `continue` leads; what follows runs before each further turn.
    fn begin_step(&mut self);
    fn end_loop(&mut self);
    fn leave_loop(&mut self);
    fn next_turn(&mut self);
    /// Whether control cannot come here: the block around has been left.
    fn left(&self) -> bool;
    /// Says that the chunk faulted, and ends this invocation.
    fn fault(&mut self, flag: Self::Value);

    /// Whether a check that fails only notes the fault. Variables then hold zero before they are assigned.
    fn puts_off(&self) -> bool {
        false
    }
    /// Notes a fault if `broken` holds.
    fn note_fault(&mut self, _broken: Self::Value) {
        unreachable!("faults are not put off");
    }
    /// Whether a fault was noted.
    fn noted(&mut self) -> Self::Value {
        unreachable!("faults are not put off");
    }
}

/// A value and its type.
struct Typed<T: Target> {
    ty: Type,
    v: T::Value,
}

impl<T: Target> Clone for Typed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Target> Copy for Typed<T> {}

/// Emits a module's function into a target.
///
/// # Errors
/// What the target cannot.
pub(crate) fn emit<T: Target>(module: &Valid, target: &mut T) -> Result {
    let locals = module.locals.iter().map(|l| target.variable(l.ty));
    let locals = locals.collect::<Result<_>>()?;
    let arrays = module.arrays.iter().map(|a| target.array(a.ty, a.len));
    let arrays = arrays.collect::<Result<_>>()?;
    let layout = Layout::of(module);
    Emit {
        module,
        target,
        layout,
        locals,
        arrays,
        checked: false,
        loops: 0,
    }
    .module()
}

struct Emit<'a, T: Target> {
    module: &'a Module,
    target: &'a mut T,
    layout: Layout,
    locals: Vec<T::Variable>,
    arrays: Vec<T::Array>,
    /// A fault may have been noted.
    checked: bool,
    /// Loops around.
    loops: u32,
}

impl<T: Target> Emit<'_, T> {
    /// Every invocation runs the prelude, which has no effect but a fault; those beyond the end stop there.
    fn module(mut self) -> Result {
        let module = self.module;
        self.stmts(&module.prelude)?;
        let (base, end) = (self.word(args::BASE), self.word(args::END));
        let number = Typed {
            ty: Type::U64,
            v: self.target.invocation(),
        };
        let index = self.binary(BinOp::Add, base, number)?;
        let inside = self.compare(CmpOp::Lt, index, end)?;
        self.target.begin_if(inside.v);
        self.target.set(self.local(module.index), index.v);
        self.stmts(&module.body)?;
        self.target.end_if();
        Ok(())
    }

    fn local(&self, id: LocalId) -> T::Variable {
        self.locals[usize::from(id.0)]
    }

    fn local_type(&self, id: LocalId) -> Type {
        self.module.locals[usize::from(id.0)].ty
    }

    fn kind(&self, id: ParamId) -> ParamKind {
        self.module.params[usize::from(id.0)].kind
    }

    fn elem(&self, id: ParamId) -> Result<Elem> {
        match self.kind(id) {
            ParamKind::Input(elem) | ParamKind::Own(elem) | ParamKind::Accumulator(elem, _) => {
                Ok(elem)
            }
            other => Err(Cannot::construct(&other)),
        }
    }

    fn word(&mut self, n: usize) -> Typed<T> {
        Typed {
            ty: Type::U64,
            v: self.target.word(n),
        }
    }

    fn constant(&mut self, value: Value) -> Result<Typed<T>> {
        Ok(Typed {
            ty: value.ty(),
            v: self.target.constant(value)?,
        })
    }

    fn u64(&mut self, value: u64) -> Result<Typed<T>> {
        self.constant(Value::U64(value))
    }

    fn get(&mut self, ty: Type, variable: T::Variable) -> Typed<T> {
        Typed {
            ty,
            v: self.target.get(ty, variable),
        }
    }

    fn unary(&mut self, op: UnOp, a: Typed<T>) -> Result<Typed<T>> {
        if (op, a.ty) == (UnOp::Sqrt, Type::F32) && self.target.replaced().sqrt {
            return self.sqrt_by_f64(a);
        }
        Ok(Typed {
            ty: a.ty,
            v: self.target.unary(op, a.ty, a.v)?,
        })
    }

    fn binary(&mut self, op: BinOp, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let division = matches!(op, BinOp::Div | BinOp::Rem);
        if division && a.ty == Type::U64 && self.target.replaced().divide {
            return self.divide_wide(op, a, b);
        }
        Ok(Typed {
            ty: a.ty,
            v: self.target.binary(op, a.ty, a.v, b.v)?,
        })
    }

    fn compare(&mut self, op: CmpOp, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        if a.ty == Type::F32 && self.target.replaced().compare {
            return self.compare_by_bits(op, a, b);
        }
        Ok(Typed {
            ty: Type::Bool,
            v: self.target.compare(op, a.ty, a.v, b.v)?,
        })
    }

    fn select(&mut self, condition: Typed<T>, yes: Typed<T>, no: Typed<T>) -> Typed<T> {
        Typed {
            ty: yes.ty,
            v: self.target.select(yes.ty, condition.v, yes.v, no.v),
        }
    }

    fn convert(&mut self, to: Type, a: Typed<T>) -> Result<Typed<T>> {
        if a.ty == to {
            return Ok(a);
        }
        if (a.ty, to) == (Type::F32, Type::F64) && self.target.replaced().widen {
            return self.widen_by_bits(a);
        }
        Ok(Typed {
            ty: to,
            v: self.target.convert(a.ty, to, a.v)?,
        })
    }

    fn reinterpret(&mut self, to: Type, a: Typed<T>) -> Typed<T> {
        Typed {
            ty: to,
            v: self.target.reinterpret(a.ty, to, a.v),
        }
    }

    fn not(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        self.unary(UnOp::Not, a)
    }
}

pub(crate) fn is_float(ty: Type) -> bool {
    matches!(ty, Type::F32 | Type::F64)
}

pub(crate) fn is_signed(ty: Type) -> bool {
    matches!(ty, Type::I32 | Type::I64)
}

/// The unsigned type of the same width.
pub(crate) fn bits_of(ty: Type) -> Type {
    if width(ty) == 64 {
        Type::U64
    } else {
        Type::U32
    }
}

fn width(ty: Type) -> u32 {
    if matches!(ty, Type::I64 | Type::U64 | Type::F64) {
        64
    } else {
        32
    }
}

/// A number of this type with these bits.
fn number(ty: Type, bits: u64) -> Value {
    match ty {
        Type::Bool => Value::Bool(bits != 0),
        Type::I32 => Value::I32(bits as i32),
        Type::U32 => Value::U32(bits as u32),
        Type::I64 => Value::I64(bits as i64),
        Type::U64 => Value::U64(bits),
        Type::F32 => Value::F32(f32::from_bits(bits as u32)),
        Type::F64 => Value::F64(f64::from_bits(bits)),
    }
}
