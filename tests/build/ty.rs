//! Types of the section language.

use crate::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    F32,
    F64,
    I32,
    U32,
    I64,
    U64,
    Usize,
    Bool,
}

impl Ty {
    /// All that have operators of numbers.
    pub const NUMBERS: [Self; 7] = [
        Self::F32,
        Self::F64,
        Self::I32,
        Self::U32,
        Self::I64,
        Self::U64,
        Self::Usize,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I32 => "i32",
            Self::U32 => "u32",
            Self::I64 => "i64",
            Self::U64 => "u64",
            Self::Usize => "usize",
            Self::Bool => "bool",
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    pub fn is_signed(self) -> bool {
        matches!(self, Self::I32 | Self::I64)
    }

    pub fn is_integer(self) -> bool {
        !self.is_float() && self != Self::Bool
    }

    pub fn bits(self) -> u32 {
        match self {
            Self::F32 | Self::I32 | Self::U32 => 32,
            _ => 64,
        }
    }

    /// A literal with its suffix, more often one that hurts.
    pub fn literal(self, dice: &mut Dice) -> String {
        let name = self.name();
        match self {
            Self::Bool => dice.pick(&["true", "false"]).to_string(),
            Self::F32 | Self::F64 => match dice.below(6) {
                0 => format!("{name}::{}", dice.pick(&["MAX", "EPSILON", "MIN_POSITIVE"])),
                1 => format!("{name}::consts::{}", dice.pick(&["PI", "E"])),
                2 => format!("(-{}.5{name})", dice.below(100)),
                _ => format!("{}.{}{name}", dice.below(300), dice.below(1000)),
            },
            _ => match dice.below(6) {
                0 => format!("{name}::MAX"),
                1 => format!("{name}::MIN"),
                2 if self.is_signed() => format!("(-{}{name})", dice.below(1000)),
                3 => format!("{}{name}", 1u64 << dice.below(31)),
                _ => format!("{}{name}", dice.below(40)),
            },
        }
    }
}
