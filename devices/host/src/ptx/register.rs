//! Registers: a class, and a number in it.

use std::fmt;

use hotsled_ir::Type;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Truth,
    Short,
    Long,
    Single,
    Double,
}

/// All classes: name of the registers, type in their declaration.
pub(super) const CLASSES: [(Class, &str, &str); 5] = [
    (Class::Truth, "%p", "pred"),
    (Class::Short, "%r", "b32"),
    (Class::Long, "%rd", "b64"),
    (Class::Single, "%f", "f32"),
    (Class::Double, "%fd", "f64"),
];

impl Class {
    pub(super) fn of(ty: Type) -> Self {
        match ty {
            Type::Bool => Self::Truth,
            Type::I32 | Type::U32 => Self::Short,
            Type::I64 | Type::U64 => Self::Long,
            Type::F32 => Self::Single,
            Type::F64 => Self::Double,
        }
    }

    /// How instructions name the bits of the class.
    pub(super) fn suffix(self) -> &'static str {
        CLASSES[self as usize].2
    }
}

#[derive(Clone, Copy)]
pub(super) struct Register {
    pub(super) class: Class,
    pub(super) number: usize,
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", CLASSES[self.class as usize].1, self.number)
    }
}
