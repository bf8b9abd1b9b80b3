//! Structured control: every selection and loop declares where it ends.

use hotsled_ir::Type;
use rspirv::spirv::{LoopControl, SelectionControl, Word};

use super::target::Spirv;
use crate::emit::Target as _;

/// A construct that is open.
pub(super) enum Frame {
    If {
        /// Block of the other side, as long as it has not begun.
        other: Option<Word>,
        end: Word,
    },
    Loop {
        head: Word,
        /// Where `continue` leads.
        step: Word,
        end: Word,
    },
}

impl Spirv {
    fn begin(&mut self, label: Word) {
        self.b
            .begin_block(Some(label))
            .expect("a function is open and no block");
    }

    pub(super) fn jump(&mut self, to: Word) {
        self.b.branch(to).expect("a block is open");
    }

    fn fall_to(&mut self, label: Word) {
        if !self.left() {
            self.jump(label);
        }
        self.begin(label);
    }

    pub(super) fn open_if(&mut self, condition: Word) {
        let (yes, other, end) = (self.b.id(), self.b.id(), self.b.id());
        self.b
            .selection_merge(end, SelectionControl::NONE)
            .expect("a block is open");
        self.b
            .branch_conditional(condition, yes, other, [])
            .expect("a block is open");
        self.begin(yes);
        self.frames.push(Frame::If {
            other: Some(other),
            end,
        });
    }

    pub(super) fn open_else(&mut self) {
        let Some(Frame::If { other, end }) = self.frames.last_mut() else {
            unreachable!("else belongs to an if");
        };
        let (other, end) = (other.take().expect("one else"), *end);
        if !self.left() {
            self.jump(end);
        }
        self.begin(other);
    }

    pub(super) fn close_if(&mut self) {
        let Some(Frame::If { other, end }) = self.frames.pop() else {
            unreachable!("an if is open");
        };
        if let Some(other) = other {
            if !self.left() {
                self.jump(end);
            }
            self.begin(other);
        }
        self.fall_to(end);
    }

    pub(super) fn open_loop(&mut self) {
        let [head, body, step, end] = std::array::from_fn(|_| self.b.id());
        self.fall_to(head);
        self.b
            .loop_merge(end, step, LoopControl::NONE, [])
            .expect("a block is open");
        self.jump(body);
        self.begin(body);
        self.frames.push(Frame::Loop { head, step, end });
    }

    pub(super) fn open_step(&mut self) {
        let (_, step) = self.innermost();
        self.fall_to(step);
    }

    pub(super) fn close_loop(&mut self) {
        let Some(Frame::Loop { head, end, .. }) = self.frames.pop() else {
            unreachable!("a loop is open");
        };
        self.jump(head);
        self.begin(end);
    }

    /// Where `break` and `continue` lead.
    pub(super) fn innermost(&self) -> (Word, Word) {
        let of = |frame: &Frame| match frame {
            Frame::Loop { step, end, .. } => Some((*end, *step)),
            Frame::If { .. } => None,
        };
        self.frames
            .iter()
            .rev()
            .find_map(of)
            .expect("validated: inside a loop")
    }

    /// Sets the fault word; several invocations may.
    pub(super) fn raise(&mut self, flag: Word) {
        let short = self.ty(Type::U32);
        let one = self.b.constant_bit32(short, 1);
        self.atomic_store(flag, one);
    }
}
