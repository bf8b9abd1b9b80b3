//! The broken rules.

use super::MAX_ARRAY_BYTES;
use crate::types::Type;

/// A rule that a module breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// An expression of the wrong type.
    #[error("{place}: expected {expected}, found {found:?}")]
    Type {
        /// Where.
        place: &'static str,
        /// What the place takes.
        expected: String,
        /// What is there.
        found: Type,
    },
    /// An operator on a type that does not have it.
    #[error("{op} does not exist for {ty:?}")]
    Operator {
        /// The operator.
        op: String,
        /// The type.
        ty: Type,
    },
    /// A number of a local that does not exist.
    #[error("local {0} does not exist")]
    Local(u16),
    /// A number of a parameter that does not exist or is of another kind.
    #[error("parameter {id} is not {expected}")]
    Param {
        /// Its number.
        id: u16,
        /// Kind expected.
        expected: &'static str,
    },
    /// A local that may be read before it is assigned.
    #[error("local {id} `{name}` may be read before it is assigned")]
    Unassigned {
        /// Its number.
        id: u16,
        /// Its name.
        name: String,
    },
    /// The loop index or the variable of a running `for` is assigned.
    #[error("local {id} `{name}` belongs to a loop and is assigned in it")]
    LoopVariable {
        /// Its number.
        id: u16,
        /// Its name.
        name: String,
    },
    /// What the prelude made is assigned in the body: results would depend on how the range is split.
    #[error("{what} {id} `{name}` is made by the prelude for all indices, and the body assigns it")]
    Carried {
        /// `local` or `array`.
        what: &'static str,
        /// Its number.
        id: u16,
        /// Its name.
        name: String,
    },
    /// A statement where it may not stand.
    #[error("{what} may not stand in {place}")]
    Misplaced {
        /// The statement.
        what: &'static str,
        /// Where it stands.
        place: &'static str,
    },
    /// The index local is not `U64`.
    #[error("the index is {0:?}, not U64")]
    Index(Type),
    /// A number of an array that does not exist.
    #[error("array {0} does not exist")]
    Array(u16),
    /// An array that may be used before it is filled.
    #[error("array {id} `{name}` may be used before it is filled")]
    Unfilled {
        /// Its number.
        id: u16,
        /// Its name.
        name: String,
    },
    /// An array without elements, or arrays larger than `MAX_ARRAY_BYTES` together.
    #[error("array {id} `{name}` has no elements, or the arrays exceed {MAX_ARRAY_BYTES} bytes")]
    ArraySize {
        /// Its number.
        id: u16,
        /// Its name.
        name: String,
    },
    /// A call that was not linked.
    #[error("import {0} is called and not linked")]
    Call(u16),
    /// A name that the text form could not tell from its surroundings.
    #[error("`{0}` is no name")]
    Name(String),
    /// Too many parameters or locals for their numbers.
    #[error("more than 65535 {0}")]
    Count(&'static str),
}
