//! Types of expressions, and literals whose type is known only later.

use hotsled_ir::{Elem, Type};

/// A Rust type of the section language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    Bool,
    I32,
    U32,
    I64,
    U64,
    Usize,
    F32,
    F64,
    /// Storage only: no arithmetic.
    U8,
    /// Storage only.
    I8,
    /// Storage only.
    U16,
    /// Storage only.
    I16,
}

impl Ty {
    pub const ALL: [Ty; 12] = [
        Ty::Bool,
        Ty::I32,
        Ty::U32,
        Ty::I64,
        Ty::U64,
        Ty::Usize,
        Ty::F32,
        Ty::F64,
        Ty::U8,
        Ty::I8,
        Ty::U16,
        Ty::I16,
    ];

    /// Its name in Rust.
    pub const fn name(self) -> &'static str {
        match self {
            Ty::Bool => "bool",
            Ty::I32 => "i32",
            Ty::U32 => "u32",
            Ty::I64 => "i64",
            Ty::U64 => "u64",
            Ty::Usize => "usize",
            Ty::F32 => "f32",
            Ty::F64 => "f64",
            Ty::U8 => "u8",
            Ty::I8 => "i8",
            Ty::U16 => "u16",
            Ty::I16 => "i16",
        }
    }

    pub fn named(name: &str) -> Option<Ty> {
        Self::ALL.into_iter().find(|ty| ty.name() == name)
    }

    /// Its type in the virtual ISA.
    pub const fn ir(self) -> Type {
        match self {
            Ty::Bool => Type::Bool,
            Ty::I32 | Ty::I8 | Ty::I16 => Type::I32,
            Ty::U32 | Ty::U8 | Ty::U16 => Type::U32,
            Ty::I64 => Type::I64,
            Ty::U64 | Ty::Usize => Type::U64,
            Ty::F32 => Type::F32,
            Ty::F64 => Type::F64,
        }
    }

    /// Type of a slice's element in Rust.
    pub const fn of(elem: Elem) -> Ty {
        match elem {
            Elem::F32 => Ty::F32,
            Elem::F64 => Ty::F64,
            Elem::I32 => Ty::I32,
            Elem::U32 => Ty::U32,
            Elem::I64 => Ty::I64,
            Elem::U64 => Ty::U64,
            Elem::U8 => Ty::U8,
            Elem::I8 => Ty::I8,
            Elem::U16 => Ty::U16,
            Elem::I16 => Ty::I16,
        }
    }

    /// The element type that stores it.
    pub const fn elem(self) -> Elem {
        match self {
            Ty::F32 => Elem::F32,
            Ty::F64 => Elem::F64,
            Ty::I32 => Elem::I32,
            Ty::I64 => Elem::I64,
            Ty::U64 | Ty::Usize => Elem::U64,
            Ty::U32 | Ty::Bool => Elem::U32,
            Ty::U8 => Elem::U8,
            Ty::I8 => Elem::I8,
            Ty::U16 => Elem::U16,
            Ty::I16 => Elem::I16,
        }
    }

    /// A narrow integer, which is stored and converted and nothing else.
    pub const fn is_storage(self) -> bool {
        matches!(self, Ty::U8 | Ty::I8 | Ty::U16 | Ty::I16)
    }

    /// The unsigned integer of a number's width.
    pub const fn unsigned(self) -> Ty {
        match self {
            Ty::I64 | Ty::U64 | Ty::F64 => Ty::U64,
            Ty::Usize => Ty::Usize,
            _ => Ty::U32,
        }
    }

    pub const fn is_float(self) -> bool {
        matches!(self, Ty::F32 | Ty::F64)
    }

    pub const fn is_integer(self) -> bool {
        matches!(self, Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64 | Ty::Usize)
    }

    pub const fn is_signed(self) -> bool {
        matches!(self, Ty::I32 | Ty::I64)
    }
}

/// A type that is known, or a variable that stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    Known(Ty),
    Var(usize),
    /// Of something that has been complained about: goes with every type, so that one mistake gives
    /// one error.
    Wrong,
}

/// What a variable may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Integer,
    Float,
    /// Of a name whose declaration the macro cannot see.
    Any,
}

impl Class {
    fn takes(self, ty: Ty) -> bool {
        match self {
            Class::Integer => ty.is_integer() || ty.is_storage(),
            Class::Float => ty.is_float(),
            Class::Any => true,
        }
    }
}

#[derive(Clone, Copy)]
enum Slot {
    Open(Class),
    Bound(Term),
}

/// Variables of one function.
///
/// The function is walked twice in the same order: the first walk makes and binds variables, the
/// second is given what each became and meets known types only.
#[derive(Default)]
pub struct Infer {
    slots: Vec<Slot>,
    resolved: Option<Vec<Ty>>,
    next: usize,
}

impl Infer {
    /// The second walk's: every variable known; what nothing constrained gets Rust's default.
    pub fn resolved(&self) -> Infer {
        let of = |n| match self.find(Term::Var(n)) {
            Term::Known(ty) => ty,
            Term::Wrong => Ty::I32,
            Term::Var(n) => match self.slots[n] {
                Slot::Open(Class::Float) => Ty::F64,
                _ => Ty::I32,
            },
        };
        Infer {
            resolved: Some((0..self.slots.len()).map(of).collect()),
            ..Infer::default()
        }
    }

    /// Whether this is the second walk.
    pub fn is_final(&self) -> bool {
        self.resolved.is_some()
    }

    /// The type of the next literal.
    pub fn literal(&mut self, class: Class) -> Term {
        if let Some(resolved) = &self.resolved {
            self.next += 1;
            return resolved
                .get(self.next - 1)
                .map_or(Term::Known(Ty::I32), |ty| Term::Known(*ty));
        }
        self.slots.push(Slot::Open(class));
        Term::Var(self.slots.len() - 1)
    }

    /// What a term stands for by now.
    pub fn find(&self, term: Term) -> Term {
        match term {
            Term::Var(n) => match self.slots[n] {
                Slot::Bound(to) => self.find(to),
                Slot::Open(_) => term,
            },
            known => known,
        }
    }

    /// The type, if known by now.
    pub fn known(&self, term: Term) -> Option<Ty> {
        match self.find(term) {
            Term::Known(ty) => Some(ty),
            Term::Var(_) | Term::Wrong => None,
        }
    }

    /// Makes two terms equal; false if they cannot be.
    pub fn unify(&mut self, a: Term, b: Term) -> bool {
        match (self.find(a), self.find(b)) {
            (Term::Wrong, _) | (_, Term::Wrong) => true,
            (Term::Known(a), Term::Known(b)) => a == b,
            (Term::Var(n), Term::Known(ty)) | (Term::Known(ty), Term::Var(n)) => {
                let Slot::Open(class) = self.slots[n] else {
                    unreachable!("find gives open variables")
                };
                self.slots[n] = Slot::Bound(Term::Known(ty));
                class.takes(ty)
            }
            (Term::Var(a), Term::Var(b)) if a == b => true,
            (Term::Var(a), Term::Var(b)) => {
                let (Slot::Open(x), Slot::Open(y)) = (self.slots[a], self.slots[b]) else {
                    unreachable!("find gives open variables")
                };
                let (from, to) = if y == Class::Any { (b, a) } else { (a, b) };
                self.slots[from] = Slot::Bound(Term::Var(to));
                x == y || x == Class::Any || y == Class::Any
            }
        }
    }

    /// What a term may still become, if it is not known.
    pub fn open(&self, term: Term) -> Option<Class> {
        match self.find(term) {
            Term::Var(n) => match self.slots[n] {
                Slot::Open(class) => Some(class),
                Slot::Bound(_) => None,
            },
            _ => None,
        }
    }

    /// How to call a term in a message.
    pub fn describe(&self, term: Term) -> String {
        match self.find(term) {
            Term::Known(ty) => ty.name().to_owned(),
            Term::Wrong => "something else".into(),
            Term::Var(n) => match self.slots[n] {
                Slot::Open(Class::Float) => "a float".into(),
                Slot::Open(Class::Any) => "a value of unknown type".into(),
                _ => "an integer".into(),
            },
        }
    }
}
