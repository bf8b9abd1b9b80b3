//! The rules of the virtual ISA. If they hold, no lowering may fail but by "this device cannot".

mod expr;
mod invalid;

pub use invalid::Invalid;

use crate::types::*;

/// Bytes that all local arrays of a module may take, at 8 bytes an element.
pub const MAX_ARRAY_BYTES: u64 = 8 * hotsled_abi::MAX_ARRAY_ELEMENTS as u64;

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
