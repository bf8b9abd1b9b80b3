//! The virtual ISA: types, text form, binary form, validator, interpreter.
