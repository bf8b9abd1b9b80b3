//! The virtual ISA as data: what the macro builds, records carry and lowerings read.
//!
//! Semantics are Rust's, made explicit: integer `+ - *` wrap, shift counts are masked, `as` from
//! float saturates (NaN gives 0), `/` and `%` and every index are checked and may *fault*, and `&&`
//! and `||` do not evaluate their right side needlessly. A fault ends the chunk; nothing of it is
//! committed, so that which of two faults comes first does not matter.

/// A value's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Type {
    /// `bool`.
    Bool = 0,
    /// `i32`.
    I32 = 1,
    /// `u32`.
    U32 = 2,
    /// `i64`.
    I64 = 3,
    /// `u64`; `usize` is this type.
    U64 = 4,
    /// `f32`.
    F32 = 5,
    /// `f64`.
    F64 = 6,
}

impl Type {
    /// Every variant, by its number.
    pub const ALL: [Type; 7] = [
        Self::Bool,
        Self::I32,
        Self::U32,
        Self::I64,
        Self::U64,
        Self::F32,
        Self::F64,
    ];

    /// `F32` or `F64`.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Any integer.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::I32 | Self::U32 | Self::I64 | Self::U64)
    }

    /// A signed integer.
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::I32 | Self::I64)
    }

    /// The unsigned integer of a number's width; what [`Expr::Bits`] makes of a float.
    pub const fn unsigned(self) -> Type {
        match self {
            Self::I64 | Self::U64 | Self::F64 => Self::U64,
            _ => Self::U32,
        }
    }
}

/// An element type of slices. Narrow integers are storage only: a load widens to `value_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Elem {
    /// `f32`.
    F32 = 0,
    /// `i32`.
    I32 = 1,
    /// `u32`.
    U32 = 2,
    /// `u8`; loads give `u32`, stores truncate.
    U8 = 3,
    /// `f64`.
    F64 = 4,
    /// `i64`.
    I64 = 5,
    /// `u64`.
    U64 = 6,
    /// `i8`; loads give `i32`, stores truncate.
    I8 = 7,
    /// `u16`; loads give `u32`, stores truncate.
    U16 = 8,
    /// `i16`; loads give `i32`, stores truncate.
    I16 = 9,
}

impl Elem {
    /// Every variant, by its number.
    pub const ALL: [Elem; 10] = [
        Self::F32,
        Self::I32,
        Self::U32,
        Self::U8,
        Self::F64,
        Self::I64,
        Self::U64,
        Self::I8,
        Self::U16,
        Self::I16,
    ];

    /// Bytes of one element.
    pub const fn size(self) -> u64 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// Whether an element's bytes, little-endian, are a NaN: all of them count as equal.
    pub fn is_nan(self, bytes: &[u8]) -> bool {
        match self {
            Self::F32 => bytes
                .try_into()
                .is_ok_and(|b| f32::from_le_bytes(b).is_nan()),
            Self::F64 => bytes
                .try_into()
                .is_ok_and(|b| f64::from_le_bytes(b).is_nan()),
            _ => false,
        }
    }

    /// Type of a loaded or stored value.
    pub const fn value_type(self) -> Type {
        match self {
            Self::F32 => Type::F32,
            Self::F64 => Type::F64,
            Self::I8 | Self::I16 | Self::I32 => Type::I32,
            Self::U8 | Self::U16 | Self::U32 => Type::U32,
            Self::I64 => Type::I64,
            Self::U64 => Type::U64,
        }
    }
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A scalar by value.
    Scalar(Type),
    /// `&[T]`: read anywhere.
    Input(Elem),
    /// `&mut [T]`: read and written only at the loop's own index.
    Own(Elem),
    /// `&[AtomicT]`, of 32 or 64 bits: anywhere combined with by one operation, never read. A launch
    /// starts from [`AccOp::identity`]; what it leaves there is combined with the host's elements once.
    Accumulator(Elem, AccOp),
}

impl ParamKind {
    /// Element type of what is indexed; `None` for a scalar.
    pub const fn elem(self) -> Option<Elem> {
        match self {
            Self::Scalar(_) => None,
            Self::Input(elem) | Self::Own(elem) | Self::Accumulator(elem, _) => Some(elem),
        }
    }
}

/// The one operation of an accumulator; neither order nor grouping matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AccOp {
    /// `fetch_add`, and `fetch_sub` of the negated value.
    Add = 0,
    /// `fetch_min`.
    Min = 1,
    /// `fetch_max`.
    Max = 2,
    /// `fetch_and`.
    And = 3,
    /// `fetch_or`.
    Or = 4,
    /// `fetch_xor`.
    Xor = 5,
}

impl AccOp {
    /// Every variant, by its number.
    pub const ALL: [AccOp; 6] = [
        Self::Add,
        Self::Min,
        Self::Max,
        Self::And,
        Self::Or,
        Self::Xor,
    ];

    /// The operator that combines two values.
    pub const fn binary(self) -> BinOp {
        match self {
            Self::Add => BinOp::Add,
            Self::Min => BinOp::Min,
            Self::Max => BinOp::Max,
            Self::And => BinOp::And,
            Self::Or => BinOp::Or,
            Self::Xor => BinOp::Xor,
        }
    }

    /// Bits of the element that changes no other, little-endian in the element's width.
    pub const fn identity(self, elem: Elem) -> u64 {
        let signed = matches!(elem, Elem::I32 | Elem::I64);
        let width = 8 * elem.size() as u32;
        let ones = u64::MAX >> (64 - width);
        match self {
            Self::Add | Self::Or | Self::Xor => 0,
            Self::And => ones,
            Self::Min if signed => ones >> 1,
            Self::Min => ones,
            Self::Max if signed => 1 << (width - 1),
            Self::Max => 0,
        }
    }
}

/// One parameter, in the order of the function's signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Name in the source.
    pub name: String,
    /// Kind and type.
    pub kind: ParamKind,
}

/// Index of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(pub u16);

/// Index of a local variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalId(pub u16);

/// A local variable. Every local is assigned before it is read (the validator checks).
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// Name in the source; not unique.
    pub name: String,
    /// Type.
    pub ty: Type,
}

/// Index of a local array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArrayId(pub u16);

/// A local array of fixed size. It is filled before it is used (the validator checks).
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Name in the source; not unique.
    pub name: String,
    /// Type of its elements.
    pub ty: Type,
    /// Number of its elements, at least one.
    pub len: u32,
}

/// A module: one section.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// Function name in the source.
    pub name: String,
    /// Parameters.
    pub params: Vec<Param>,
    /// Locals of prelude and body.
    pub locals: Vec<Local>,
    /// Local arrays of prelude and body.
    pub arrays: Vec<Array>,
    /// Scalar statements before the loop; run once a launch, before the first index. They see
    /// scalars, slice lengths and inputs; they do not store.
    pub prelude: Vec<Stmt>,
    /// The loop variable: a `U64` local that only the loop assigns.
    pub index: LocalId,
    /// Run once for each index of the launch; indices are independent of each other.
    pub body: Vec<Stmt>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// Assigns a local (its `let` and later assignments alike).
    Set(LocalId, Expr),
    /// Stores to an [`ParamKind::Own`] parameter at the loop's own index (checked against its length).
    Store(ParamId, Expr),
    /// Runs one of two blocks.
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// `for local in start..end`, both ends evaluated once; type of the local is theirs (an integer).
    For {
        /// The loop variable; assigned only by this loop while it runs.
        var: LocalId,
        /// First value.
        start: Expr,
        /// One past the last value.
        end: Expr,
        /// Body.
        body: Vec<Stmt>,
    },
    /// `loop`; ends by [`Stmt::Break`].
    Loop(Vec<Stmt>),
    /// Leaves the innermost `For` or `Loop`.
    Break,
    /// Starts the next turn of the innermost `For` or `Loop`.
    Continue,
    /// Faults: where the Rust code panics (`clamp` with crossed bounds, say).
    Fault,
    /// Sets every element of an array (its `let`).
    Fill(ArrayId, Expr),
    /// Sets the element at a `U64` index (checked): array, index, value.
    SetElement(ArrayId, Expr, Expr),
    /// Combines an element of an [`ParamKind::Accumulator`] with a value: index (`U64`, checked), value.
    Accumulate(ParamId, Expr, Expr),
}

/// An expression. Operands are evaluated from left to right.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A constant.
    Const(Value),
    /// Value of a local.
    Local(LocalId),
    /// Value of a scalar parameter.
    Scalar(ParamId),
    /// Length of a slice or accumulator in elements (the whole slice, whatever the chunk), `U64`.
    Len(ParamId),
    /// Checked load from an [`ParamKind::Input`] at a `U64` index.
    Load(ParamId, Box<Expr>),
    /// Checked load from an [`ParamKind::Own`] at the loop's own index.
    LoadOwn(ParamId),
    /// One operand.
    Unary(UnOp, Box<Expr>),
    /// Two operands of one type (shifts: the count is `U32`).
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// Comparison of two operands of one type; gives `Bool`.
    Compare(CmpOp, Box<Expr>, Box<Expr>),
    /// Short-circuit `&&`.
    And(Box<Expr>, Box<Expr>),
    /// Short-circuit `||`.
    Or(Box<Expr>, Box<Expr>),
    /// `if` as a value; only the taken side is evaluated.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Statements, then a value. The statements hold no `Store`, and no `Break` or `Continue` that
    /// leaves the block.
    Block(Vec<Stmt>, Box<Expr>),
    /// Rust's `as`.
    Cast(Type, Box<Expr>),
    /// The same bits as another type of the same width: float to unsigned integer, or back.
    Bits(Type, Box<Expr>),
    /// `a * b + c` of floats, rounded once.
    MulAdd(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Checked load from a local array at a `U64` index.
    Element(ArrayId, Box<Expr>),
    /// Call of an imported function by its number. Only the macro makes it: reading a module's bytes
    /// replaces every call by the function's body, and the validator refuses what is left.
    Call(u16, Vec<Expr>),
}

/// A constant.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// `bool`.
    Bool(bool),
    /// `i32`.
    I32(i32),
    /// `u32`.
    U32(u32),
    /// `i64`.
    I64(i64),
    /// `u64` and `usize`.
    U64(u64),
    /// `f32`.
    F32(f32),
    /// `f64`.
    F64(f64),
}

impl Value {
    /// Its type.
    pub const fn ty(self) -> Type {
        match self {
            Self::Bool(_) => Type::Bool,
            Self::I32(_) => Type::I32,
            Self::U32(_) => Type::U32,
            Self::I64(_) => Type::I64,
            Self::U64(_) => Type::U64,
            Self::F32(_) => Type::F32,
            Self::F64(_) => Type::F64,
        }
    }

    /// Its bits, zero-extended.
    pub const fn bits(self) -> u64 {
        match self {
            Self::Bool(v) => v as u64,
            Self::I32(v) => v as u32 as u64,
            Self::U32(v) => v as u64,
            Self::I64(v) => v as u64,
            Self::U64(v) => v,
            Self::F32(v) => v.to_bits() as u64,
            Self::F64(v) => v.to_bits(),
        }
    }
}

/// Bit for bit, so that NaN equals itself and `-0` differs from `0`.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.ty() == other.ty() && self.bits() == other.bits()
    }
}

/// Unary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum UnOp {
    /// `-`: wraps for signed integers, flips the sign bit of floats.
    Neg = 0,
    /// `!`: bits of integers, or `Bool`.
    Not = 1,
    /// `abs`: wraps for `MIN`, clears the sign bit of floats.
    Abs = 2,
    /// Correctly rounded square root.
    Sqrt = 3,
    /// Toward negative infinity.
    Floor = 4,
    /// Toward positive infinity.
    Ceil = 5,
    /// Toward zero.
    Trunc = 6,
    /// To nearest, halves away from zero.
    Round = 7,
    /// Zero bits above the highest one bit of an integer, in its own type; the width for zero.
    LeadingZeros = 8,
    /// One bits of an integer, in its own type.
    CountOnes = 9,
}

impl UnOp {
    /// Every variant, by its number.
    pub const ALL: [UnOp; 10] = [
        Self::Neg,
        Self::Not,
        Self::Abs,
        Self::Sqrt,
        Self::Floor,
        Self::Ceil,
        Self::Trunc,
        Self::Round,
        Self::LeadingZeros,
        Self::CountOnes,
    ];
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BinOp {
    /// `+`.
    Add = 0,
    /// `-`.
    Sub = 1,
    /// `*`.
    Mul = 2,
    /// `/`: integers fault on 0 and on `MIN / -1`.
    Div = 3,
    /// `%`: integers fault as `/` does; floats are `fmod`.
    Rem = 4,
    /// `&`, of integers or `Bool`.
    And = 5,
    /// `|`, of integers or `Bool`.
    Or = 6,
    /// `^`, of integers or `Bool`.
    Xor = 7,
    /// `<<`, count masked to the width.
    Shl = 8,
    /// `>>`, count masked to the width; arithmetic for signed types.
    Shr = 9,
    /// `min`: floats: the other operand if one is NaN; `-0 < +0`.
    Min = 10,
    /// `max`: floats: the other operand if one is NaN; `-0 < +0`.
    Max = 11,
    /// `hypot` of floats: `sqrt(x*x + y*y)`, for `F32` computed in `f64` and rounded once, then
    /// infinity if either operand is infinite.
    Hypot = 12,
}

impl BinOp {
    /// Every variant, by its number.
    pub const ALL: [BinOp; 13] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::Rem,
        Self::And,
        Self::Or,
        Self::Xor,
        Self::Shl,
        Self::Shr,
        Self::Min,
        Self::Max,
        Self::Hypot,
    ];
}

/// Comparisons; on floats every one but `Ne` is false if an operand is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CmpOp {
    /// `==`.
    Eq = 0,
    /// `!=`.
    Ne = 1,
    /// `<`.
    Lt = 2,
    /// `<=`.
    Le = 3,
    /// `>`.
    Gt = 4,
    /// `>=`.
    Ge = 5,
}

impl CmpOp {
    /// Every variant, by its number.
    pub const ALL: [CmpOp; 6] = [Self::Eq, Self::Ne, Self::Lt, Self::Le, Self::Gt, Self::Ge];
}
