//! Structured control: every selection and loop declares where it ends.

use hotsled_ir::Type;
use rspirv::spirv::{LoopControl, Op, SelectionControl, Word};

use super::module::Spirv;
use crate::args;
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
        /// It has a mark that says how it was left.
        marked: bool,
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

    /// Where the driver cuts loops, a mark says whether this invocation left by itself. An exit that is never
    /// taken leaves it unset, so that the driver cannot take it for granted.
    pub(super) fn open_loop(&mut self, marked: bool, control: LoopControl) {
        let marked = marked && self.features.cuts;
        if marked {
            self.mark(self.depth(), 0);
        }
        let [head, body, step, end] = std::array::from_fn(|_| self.b.id());
        self.fall_to(head);
        self.b
            .loop_merge(end, step, control, [])
            .expect("a block is open");
        self.jump(body);
        self.begin(body);
        self.frames.push(Frame::Loop {
            head,
            step,
            end,
            marked,
        });
        if marked {
            self.show_exit(end);
        }
    }

    /// An exit that is never taken, so that what stands behind an endless loop is not removed.
    fn show_exit(&mut self, end: Word) {
        let (long, truth) = (self.ty(Type::U64), self.ty(Type::Bool));
        let last = self.word(args::END);
        let most = self.b.constant_bit64(long, u64::MAX);
        let never = self.op(Op::IEqual, truth, &[last, most]);
        self.open_if(never);
        self.jump(end);
        self.close_if();
    }

    pub(super) fn open_step(&mut self) {
        let (_, step, _) = self.innermost();
        self.fall_to(step);
    }

    /// Loops around.
    fn depth(&self) -> usize {
        self.frames
            .iter()
            .filter(|frame| matches!(frame, Frame::Loop { .. }))
            .count()
    }

    pub(super) fn break_loop(&mut self) {
        let (leave, _, marked) = self.innermost();
        if marked {
            self.mark(self.depth() - 1, 1);
        }
        self.jump(leave);
    }

    /// The mark for loops at `depth`.
    fn mark_of(&mut self, depth: usize) -> Word {
        while self.marks.len() <= depth {
            let short = self.ty(Type::U32);
            let mark = self.declare(short);
            self.marks.push(mark);
        }
        self.marks[depth]
    }

    fn mark(&mut self, depth: usize, value: u32) {
        let short = self.ty(Type::U32);
        let value = self.b.constant_bit32(short, value);
        let mark = self.mark_of(depth);
        self.set(mark, value);
    }

    /// Faults if this invocation has not left the loop by itself.
    fn check_mark(&mut self, depth: usize) {
        let mark = self.mark_of(depth);
        let marked = self.get(Type::U32, mark);
        let (short, truth) = (self.ty(Type::U32), self.ty(Type::Bool));
        let zero = self.b.constant_bit32(short, 0);
        let cut = self.op(Op::IEqual, truth, &[marked, zero]);
        self.fault_at(cut);
    }

    /// Faults where `broken` holds, at once or at the end.
    pub(super) fn fault_at(&mut self, broken: Word) {
        if self.puts_off() {
            return self.note_fault(broken);
        }
        let flag = self.word(args::FAULT);
        self.open_if(broken);
        self.fault(flag);
        self.close_if();
    }

    pub(super) fn close_loop(&mut self) {
        let Some(Frame::Loop {
            head, end, marked, ..
        }) = self.frames.pop()
        else {
            unreachable!("a loop is open");
        };
        self.jump(head);
        self.begin(end);
        if marked {
            self.check_mark(self.depth());
        }
    }

    /// Where `break` and `continue` lead, and whether the loop has a mark.
    pub(super) fn innermost(&self) -> (Word, Word, bool) {
        let of = |frame: &Frame| match frame {
            Frame::Loop {
                step, end, marked, ..
            } => Some((*end, *step, *marked)),
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
