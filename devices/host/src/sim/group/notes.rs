//! What a plan leaves to the groups of its run.

use std::collections::HashMap;
use std::ptr;

use cranelift_codegen::ir::{
    self, InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value as Ssa, types,
};
use cranelift_frontend::Variable;
use hotsled_ir::{Expr, ParamId, Type};

use super::super::body::Body;
use super::Group;
use super::number::{Class, Number};
use super::shape::Shape;
use super::value::Wide::{self, Falling, Linear};

/// A value that waits in memory: a variable of each would live through every block. What counts along with the
/// index waits as what it would be at index 0.
struct Note {
    shape: Shape,
    ty: ir::Type,
    slot: StackSlot,
    /// Where groups find it, once one has asked for it.
    taken: Option<Variable>,
}

/// All notes of a plan.
#[derive(Default)]
pub(super) struct Notes {
    all: Vec<Note>,
    /// The note of an expression outside of inner loops; of a run of elements, the address less so many bytes.
    of: HashMap<*const Expr, (usize, i32)>,
    /// The notes of addresses that runs of one class share.
    runs: HashMap<(ParamId, Class), usize>,
}

impl Notes {
    fn slot(&self, note: usize) -> StackSlot {
        self.all[note].slot
    }

    fn add(&mut self, body: &mut Body<'_, '_>, shape: Shape, ty: ir::Type) -> usize {
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, ty.bytes(), 3);
        let slot = body.builder.create_sized_stack_slot(data);
        self.all.push(Note {
            shape,
            ty,
            slot,
            taken: None,
        });
        self.all.len() - 1
    }

    /// Before the first group: takes what groups have asked for out of memory.
    pub(super) fn take(self, body: &mut Body<'_, '_>) {
        for note in self.all {
            if let Some(variable) = note.taken {
                let ins = body.builder.ins();
                let value = ins.stack_load(types::I64, note.ty, note.slot, 0);
                body.builder.def_var(variable, value);
            }
        }
    }
}

impl Group<'_, '_, '_, '_> {
    /// Of the plan: keeps a value for the groups.
    pub(super) fn note(&mut self, e: &Expr, value: Wide) {
        let kept = match value {
            Linear(first) => {
                let index = self.index_as(self.shapes.ty(e));
                self.body.builder.ins().isub(first, index)
            }
            Falling(first) => {
                let index = self.index_as(self.shapes.ty(e));
                self.body.builder.ins().iadd(first, index)
            }
            value => value.single(),
        };
        let ty = self.body.builder.func.dfg.value_type(kept);
        let note = self.notes.add(self.body, value.shape(), ty);
        self.keep(e, note, 0, kept);
    }

    /// Of the plan: keeps the address of a run of elements, which begins at an index of this number.
    pub(super) fn note_run(&mut self, e: &Expr, param: ParamId, first: Ssa, number: Number) {
        let elem = self.body.elem(param);
        let Number { class, more } = number;
        let bytes = (more as i64).checked_mul(elem.size() as i64);
        let bytes = bytes.and_then(|bytes| i32::try_from(bytes).ok());
        let note = match bytes.and(self.notes.runs.get(&(param, class))) {
            Some(note) => *note,
            None => self.notes.add(self.body, Shape::Linear, types::I64),
        };
        let index = self.index();
        let mut steps = self.body.builder.ins().isub(first, index);
        if bytes.is_some() {
            self.notes.runs.insert((param, class), note);
            steps = self.body.builder.ins().iadd_imm_s(steps, -(more as i64));
        }
        let address = self.body.address(param, steps);
        self.keep(e, note, bytes.unwrap_or(0), address);
    }

    fn keep(&mut self, e: &Expr, note: usize, bytes: i32, value: Ssa) {
        let slot = self.notes.slot(note);
        let ins = self.body.builder.ins();
        ins.stack_store(types::I64, value, slot, 0);
        self.notes.of.insert(ptr::from_ref(e), (note, bytes));
    }

    /// Of a group: what the plan has kept of an expression.
    pub(super) fn recall(&mut self, e: &Expr) -> Option<Wide> {
        let &(note, _) = self.notes.of.get(&ptr::from_ref(e))?;
        let (shape, value) = self.taken(note);
        let value = match shape {
            Shape::Linear => {
                let index = self.index_as(self.shapes.ty(e));
                self.body.builder.ins().iadd(value, index)
            }
            Shape::Falling => {
                let index = self.index_as(self.shapes.ty(e));
                self.body.builder.ins().isub(value, index)
            }
            _ => value,
        };
        Some(Wide::of(shape, value))
    }

    /// Of a group: the address of a load's run, less so many bytes.
    pub(super) fn recall_run(&mut self, e: &Expr, param: ParamId) -> Option<(Ssa, i32)> {
        let &(note, bytes) = self.notes.of.get(&ptr::from_ref(e))?;
        let (shape, start) = self.taken(note);
        (shape == Shape::Linear).then_some(())?;
        let (elem, index) = (self.body.elem(param), self.index());
        Some((self.body.offset(elem, start, index), bytes))
    }

    fn taken(&mut self, note: usize) -> (Shape, Ssa) {
        let Note { shape, ty, .. } = self.notes.all[note];
        let taken = self.notes.all[note].taken;
        let variable = taken.unwrap_or_else(|| self.body.builder.declare_var(ty));
        self.notes.all[note].taken = Some(variable);
        (shape, self.body.builder.use_var(variable))
    }

    fn index_as(&mut self, ty: Type) -> Ssa {
        let index = self.index();
        self.body.cast(Type::U64, ty, index)
    }
}
