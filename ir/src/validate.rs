//! The rules of the virtual ISA. If they hold, no lowering may fail but by "this device cannot".

use crate::types::*;

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

/// Bytes that all local arrays of a module may take, at 8 bytes an element.
pub const MAX_ARRAY_BYTES: u64 = 16 << 10;

type Result<T = ()> = std::result::Result<T, Invalid>;

/// A module that keeps all rules; only [`validate`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Valid(Module);

impl std::ops::Deref for Valid {
    type Target = Module;

    fn deref(&self) -> &Module {
        &self.0
    }
}

/// Checks every rule.
///
/// # Errors
/// The first broken rule.
pub fn validate(module: Module) -> Result<Valid> {
    let too_many = |n: usize| n > usize::from(u16::MAX);
    if too_many(module.params.len()) {
        return Err(Invalid::Count("parameters"));
    }
    if too_many(module.locals.len()) {
        return Err(Invalid::Count("locals"));
    }
    if too_many(module.arrays.len()) {
        return Err(Invalid::Count("arrays"));
    }
    names(&module)?;
    accumulators(&module)?;
    array_sizes(&module)?;
    Check::new(&module).module()?;
    Ok(Valid(module))
}

/// Every name is a word of the text form.
fn names(module: &Module) -> Result {
    let all = std::iter::once(&module.name)
        .chain(module.params.iter().map(|p| &p.name))
        .chain(module.locals.iter().map(|l| &l.name))
        .chain(module.arrays.iter().map(|a| &a.name));
    let bad = |name: &&String| name.is_empty() || !name.chars().all(crate::print::is_name_char);
    all.into_iter()
        .find(bad)
        .map_or(Ok(()), |name| Err(Invalid::Name(name.clone())))
}

/// Accumulators have elements that processors add to at once.
fn accumulators(module: &Module) -> Result {
    for param in &module.params {
        if let ParamKind::Accumulator(elem, _) = param.kind
            && !matches!(elem, Elem::I32 | Elem::U32 | Elem::I64 | Elem::U64)
        {
            return Err(Invalid::Operator {
                op: format!("accumulator of {elem:?}"),
                ty: elem.value_type(),
            });
        }
    }
    Ok(())
}

fn array_sizes(module: &Module) -> Result {
    let mut bytes = 0;
    for (id, array) in module.arrays.iter().enumerate() {
        bytes += 8 * u64::from(array.len);
        if array.len == 0 || bytes > MAX_ARRAY_BYTES {
            return Err(Invalid::ArraySize {
                id: id as u16,
                name: array.name.clone(),
            });
        }
    }
    Ok(())
}

/// Where a statement stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Prelude,
    Body,
    /// Inside [`Expr::Block`].
    Value,
}

struct Check<'a> {
    module: &'a Module,
    place: Place,
    /// Locals, then arrays, assigned on every way to here. `None`: here is unreachable.
    assigned: Option<Vec<bool>>,
    /// What the prelude has assigned; the body reads it and does not assign it.
    shared: Vec<bool>,
    /// Variables of the loops around, and the index.
    held: Vec<LocalId>,
    /// Loops around, within the innermost value block; with the assignments at their breaks.
    loops: Vec<Option<Vec<bool>>>,
}

impl<'a> Check<'a> {
    fn new(module: &'a Module) -> Self {
        let assigned = Some(vec![false; module.locals.len() + module.arrays.len()]);
        Self {
            module,
            place: Place::Prelude,
            shared: vec![false; module.locals.len() + module.arrays.len()],
            assigned,
            held: Vec::new(),
            loops: Vec::new(),
        }
    }

    fn module(mut self) -> Result {
        let index = self.local(self.module.index)?;
        if index.ty != Type::U64 {
            return Err(Invalid::Index(index.ty));
        }
        self.held.push(self.module.index);
        self.block(&self.module.prelude)?;
        if let Some(assigned) = &self.assigned {
            self.shared.clone_from(assigned);
        }
        self.place = Place::Body;
        self.assign(self.module.index);
        self.block(&self.module.body)
    }

    fn local(&self, id: LocalId) -> Result<&'a Local> {
        self.module
            .locals
            .get(usize::from(id.0))
            .ok_or(Invalid::Local(id.0))
    }

    fn kind(&self, id: ParamId) -> Option<ParamKind> {
        self.module.params.get(usize::from(id.0)).map(|p| p.kind)
    }

    fn array(&self, id: ArrayId) -> Result<&'a Array> {
        self.module
            .arrays
            .get(usize::from(id.0))
            .ok_or(Invalid::Array(id.0))
    }

    fn array_bit(&self, id: ArrayId) -> usize {
        self.module.locals.len() + usize::from(id.0)
    }

    /// An array that is filled by now.
    fn filled(&self, id: ArrayId) -> Result<&'a Array> {
        let array = self.array(id)?;
        let bit = self.array_bit(id);
        if self.assigned.as_ref().is_none_or(|a| a[bit]) {
            return Ok(array);
        }
        Err(Invalid::Unfilled {
            id: id.0,
            name: array.name.clone(),
        })
    }

    fn assign(&mut self, id: LocalId) {
        self.mark(usize::from(id.0));
    }

    fn mark(&mut self, bit: usize) {
        if let Some(assigned) = &mut self.assigned {
            assigned[bit] = true;
        }
    }

    fn block(&mut self, stmts: &[Stmt]) -> Result {
        stmts.iter().try_for_each(|s| self.stmt(s))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result {
        match stmt {
            Stmt::Set(id, value) => self.set(*id, value),
            Stmt::Store(param, value) => self.store(*param, value),
            Stmt::Accumulate(param, index, value) => self.accumulate(*param, index, value),
            Stmt::If(condition, yes, no) => {
                self.expect(condition, Type::Bool, "condition of if")?;
                let before = self.assigned.clone();
                self.block(yes)?;
                let after_yes = std::mem::replace(&mut self.assigned, before);
                self.block(no)?;
                self.assigned = meet(after_yes, self.assigned.take());
                Ok(())
            }
            Stmt::For {
                var,
                start,
                end,
                body,
            } => self.counted(*var, start, end, body),
            Stmt::Loop(body) => {
                self.loops.push(None);
                self.block(body)?;
                self.assigned = self.loops.pop().flatten();
                Ok(())
            }
            Stmt::Break => {
                let here = self.assigned.take();
                let breaks = self.loops.last_mut().ok_or(misplaced("break"))?;
                *breaks = meet(breaks.take(), here);
                Ok(())
            }
            Stmt::Fill(id, value) => {
                let array = self.array(*id)?;
                self.own_array(*id, array)?;
                self.expect(value, array.ty, "filling value")?;
                self.mark(self.array_bit(*id));
                Ok(())
            }
            Stmt::SetElement(id, index, value) => {
                self.expect(index, Type::U64, "index")?;
                let array = self.filled(*id)?;
                self.own_array(*id, array)?;
                self.expect(value, array.ty, "assigned element")
            }
            Stmt::Continue if self.loops.is_empty() => Err(misplaced("continue")),
            Stmt::Continue | Stmt::Fault => {
                self.assigned = None;
                Ok(())
            }
        }
    }

    fn set(&mut self, id: LocalId, value: &Expr) -> Result {
        let local = self.local(id)?;
        if self.held.contains(&id) {
            return Err(Invalid::LoopVariable {
                id: id.0,
                name: local.name.clone(),
            });
        }
        self.own_local(id, local)?;
        self.expect(value, local.ty, "assigned value")?;
        self.assign(id);
        Ok(())
    }

    /// A local that may be assigned here: an index sees nothing of what another one did.
    fn own_local(&self, id: LocalId, local: &Local) -> Result {
        if !self.shared[usize::from(id.0)] {
            return Ok(());
        }
        Err(Invalid::Carried {
            what: "local",
            id: id.0,
            name: local.name.clone(),
        })
    }

    /// Likewise an array.
    fn own_array(&self, id: ArrayId, array: &Array) -> Result {
        if !self.shared[self.array_bit(id)] {
            return Ok(());
        }
        Err(Invalid::Carried {
            what: "array",
            id: id.0,
            name: array.name.clone(),
        })
    }

    /// Effects on parameters stand in the body, as statements.
    fn effect(&self, what: &'static str) -> Result {
        let place = match self.place {
            Place::Body => return Ok(()),
            Place::Prelude => "the prelude",
            Place::Value => "an expression",
        };
        Err(Invalid::Misplaced { what, place })
    }

    fn accumulate(&mut self, param: ParamId, index: &Expr, value: &Expr) -> Result {
        self.effect("accumulate")?;
        let Some(ParamKind::Accumulator(elem, _)) = self.kind(param) else {
            return Err(Invalid::Param {
                id: param.0,
                expected: "an accumulator",
            });
        };
        self.expect(index, Type::U64, "index")?;
        self.expect(value, elem.value_type(), "accumulated value")
    }

    fn store(&mut self, param: ParamId, value: &Expr) -> Result {
        self.effect("store")?;
        let Some(ParamKind::Own(elem)) = self.kind(param) else {
            return Err(Invalid::Param {
                id: param.0,
                expected: "an own slice",
            });
        };
        self.expect(value, elem.value_type(), "stored value")
    }

    fn counted(&mut self, var: LocalId, start: &Expr, end: &Expr, body: &[Stmt]) -> Result {
        let local = self.local(var)?;
        if !local.ty.is_integer() {
            return Err(Invalid::Operator {
                op: "for".into(),
                ty: local.ty,
            });
        }
        if self.held.contains(&var) {
            return Err(Invalid::LoopVariable {
                id: var.0,
                name: local.name.clone(),
            });
        }
        self.own_local(var, local)?;
        self.expect(start, local.ty, "start of for")?;
        self.expect(end, local.ty, "end of for")?;
        let before = self.assigned.clone();
        self.assign(var);
        self.held.push(var);
        self.loops.push(None);
        self.block(body)?;
        self.loops.pop();
        self.held.pop();
        self.assigned = before; // the body may not run at all
        Ok(())
    }

    fn expect(&mut self, expr: &Expr, ty: Type, place: &'static str) -> Result {
        let found = self.expr(expr)?;
        if found == ty {
            return Ok(());
        }
        Err(Invalid::Type {
            place,
            expected: format!("{ty:?}"),
            found,
        })
    }

    fn expr(&mut self, expr: &Expr) -> Result<Type> {
        match expr {
            Expr::Const(value) => Ok(value.ty()),
            Expr::Local(id) => self.read(*id),
            Expr::Scalar(id) => match self.kind(*id) {
                Some(ParamKind::Scalar(ty)) => Ok(ty),
                _ => Err(Invalid::Param {
                    id: id.0,
                    expected: "a scalar",
                }),
            },
            Expr::Len(id) => match self.kind(*id) {
                Some(kind) if kind.elem().is_some() => Ok(Type::U64),
                _ => Err(Invalid::Param {
                    id: id.0,
                    expected: "a slice",
                }),
            },
            Expr::Load(id, index) => {
                self.expect(index, Type::U64, "index")?;
                match self.kind(*id) {
                    Some(ParamKind::Input(elem)) => Ok(elem.value_type()),
                    _ => Err(Invalid::Param {
                        id: id.0,
                        expected: "an input slice",
                    }),
                }
            }
            Expr::LoadOwn(id) => self.load_own(*id),
            Expr::Unary(op, a) => {
                let ty = self.expr(a)?;
                if unary(*op, ty) {
                    Ok(ty)
                } else {
                    Err(Invalid::Operator {
                        op: format!("{op:?}"),
                        ty,
                    })
                }
            }
            Expr::Binary(op, a, b) => self.binary(*op, a, b),
            Expr::Compare(op, a, b) => {
                let ty = self.expr(a)?;
                self.expect(b, ty, "right side of a comparison")?;
                let ordered = matches!(op, CmpOp::Eq | CmpOp::Ne) || ty != Type::Bool;
                if ordered {
                    Ok(Type::Bool)
                } else {
                    Err(Invalid::Operator {
                        op: format!("{op:?}"),
                        ty,
                    })
                }
            }
            Expr::And(a, b) | Expr::Or(a, b) => self.short_circuit(a, b),
            Expr::If(condition, yes, no) => self.choice(condition, yes, no),
            Expr::Block(stmts, value) => self.value_block(stmts, value),
            Expr::Bits(to, a) => self.bits(*to, a),
            Expr::MulAdd(a, b, c) => self.mul_add(a, b, c),
            Expr::Element(id, index) => {
                self.expect(index, Type::U64, "index")?;
                Ok(self.filled(*id)?.ty)
            }
            Expr::Call(import, _) => Err(Invalid::Call(*import)),
            Expr::Cast(to, a) => {
                let from = self.expr(a)?;
                let fits =
                    from == *to || (*to != Type::Bool && (from != Type::Bool || to.is_integer()));
                if fits {
                    Ok(*to)
                } else {
                    Err(Invalid::Operator {
                        op: format!("cast to {to:?}"),
                        ty: from,
                    })
                }
            }
        }
    }

    /// Float to the unsigned integer of its width, or back.
    fn bits(&mut self, to: Type, a: &Expr) -> Result<Type> {
        let from = self.expr(a)?;
        let pair = |float: Type, bits: Type| float.is_float() && bits == float.unsigned();
        if pair(from, to) || pair(to, from) {
            return Ok(to);
        }
        Err(Invalid::Operator {
            op: format!("bits as {to:?}"),
            ty: from,
        })
    }

    fn mul_add(&mut self, a: &Expr, b: &Expr, c: &Expr) -> Result<Type> {
        let ty = self.expr(a)?;
        self.expect(b, ty, "factor")?;
        self.expect(c, ty, "summand")?;
        if ty.is_float() {
            return Ok(ty);
        }
        Err(Invalid::Operator {
            op: "MulAdd".into(),
            ty,
        })
    }

    fn read(&self, id: LocalId) -> Result<Type> {
        let local = self.local(id)?;
        let assigned = self.assigned.as_ref().is_none_or(|a| a[usize::from(id.0)]);
        let known = assigned && (self.place != Place::Prelude || id != self.module.index);
        if known {
            Ok(local.ty)
        } else {
            Err(Invalid::Unassigned {
                id: id.0,
                name: local.name.clone(),
            })
        }
    }

    fn load_own(&self, id: ParamId) -> Result<Type> {
        if self.place == Place::Prelude || !self.index_is_assigned() {
            return Err(Invalid::Misplaced {
                what: "own load",
                place: "the prelude",
            });
        }
        match self.kind(id) {
            Some(ParamKind::Own(elem)) => Ok(elem.value_type()),
            _ => Err(Invalid::Param {
                id: id.0,
                expected: "an own slice",
            }),
        }
    }

    fn index_is_assigned(&self) -> bool {
        self.assigned
            .as_ref()
            .is_none_or(|a| a[usize::from(self.module.index.0)])
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr) -> Result<Type> {
        let ty = self.expr(a)?;
        let right = if matches!(op, BinOp::Shl | BinOp::Shr) {
            Type::U32
        } else {
            ty
        };
        self.expect(b, right, "right operand")?;
        if binary(op, ty) {
            Ok(ty)
        } else {
            Err(Invalid::Operator {
                op: format!("{op:?}"),
                ty,
            })
        }
    }

    fn short_circuit(&mut self, a: &Expr, b: &Expr) -> Result<Type> {
        self.expect(a, Type::Bool, "operand of a logical operator")?;
        let before = self.assigned.clone();
        self.expect(b, Type::Bool, "operand of a logical operator")?;
        self.assigned = before;
        Ok(Type::Bool)
    }

    fn choice(&mut self, condition: &Expr, yes: &Expr, no: &Expr) -> Result<Type> {
        self.expect(condition, Type::Bool, "condition of if")?;
        let before = self.assigned.clone();
        let ty = self.expr(yes)?;
        let after_yes = std::mem::replace(&mut self.assigned, before);
        self.expect(no, ty, "else side")?;
        self.assigned = meet(after_yes, self.assigned.take());
        Ok(ty)
    }

    fn value_block(&mut self, stmts: &[Stmt], value: &Expr) -> Result<Type> {
        let place = self.place;
        let loops = std::mem::take(&mut self.loops);
        if place == Place::Body {
            self.place = Place::Value;
        }
        self.block(stmts)?;
        let ty = self.expr(value)?;
        self.place = place;
        self.loops = loops;
        Ok(ty)
    }
}

fn misplaced(what: &'static str) -> Invalid {
    Invalid::Misplaced {
        what,
        place: "no loop of its block",
    }
}

/// Assigned on both ways; an unreachable way assigns everything.
fn meet(a: Option<Vec<bool>>, b: Option<Vec<bool>>) -> Option<Vec<bool>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.into_iter().zip(b).map(|(a, b)| a && b).collect()),
        (a, b) => a.or(b),
    }
}

fn unary(op: UnOp, ty: Type) -> bool {
    match op {
        UnOp::Not => ty == Type::Bool || ty.is_integer(),
        UnOp::Neg | UnOp::Abs => ty.is_float() || ty.is_signed(),
        UnOp::LeadingZeros | UnOp::CountOnes => ty.is_integer(),
        UnOp::Sqrt | UnOp::Floor | UnOp::Ceil | UnOp::Trunc | UnOp::Round => ty.is_float(),
    }
}

fn binary(op: BinOp, ty: Type) -> bool {
    match op {
        BinOp::And | BinOp::Or | BinOp::Xor => ty == Type::Bool || ty.is_integer(),
        BinOp::Shl | BinOp::Shr => ty.is_integer(),
        BinOp::Hypot => ty.is_float(),
        _ => ty != Type::Bool,
    }
}
