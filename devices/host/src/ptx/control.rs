//! Structured control as labels and branches.

use super::register::Register;
use super::target::Ptx;

/// A number of a label.
type Label = usize;

/// A construct that is open.
pub(super) enum Frame {
    If {
        other: Option<Label>,
        end: Label,
    },
    Loop {
        head: Label,
        step: Label,
        end: Label,
    },
}

impl Ptx {
    fn label(&mut self) -> Label {
        self.labels += 1;
        self.labels
    }

    fn begin(&mut self, label: Label) {
        self.text.push_str(&format!("$L{label}:\n"));
        self.left = false;
    }

    fn jump(&mut self, label: Label) {
        self.line(format_args!("bra $L{label}"));
        self.left = true;
    }

    fn jump_if_open(&mut self, label: Label) {
        if !self.left {
            self.jump(label);
        }
    }

    pub(super) fn open_if(&mut self, condition: Register) {
        let (other, end) = (self.label(), self.label());
        self.line(format_args!("@!{condition} bra $L{other}"));
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
        self.jump_if_open(end);
        self.begin(other);
    }

    pub(super) fn close_if(&mut self) {
        let Some(Frame::If { other, end }) = self.frames.pop() else {
            unreachable!("an if is open");
        };
        if let Some(other) = other {
            self.begin(other);
        }
        self.begin(end);
    }

    pub(super) fn open_loop(&mut self) {
        let (head, step, end) = (self.label(), self.label(), self.label());
        self.begin(head);
        self.frames.push(Frame::Loop { head, step, end });
    }

    pub(super) fn open_step(&mut self) {
        let (_, step) = self.innermost();
        self.begin(step);
    }

    pub(super) fn close_loop(&mut self) {
        let Some(Frame::Loop { head, end, .. }) = self.frames.pop() else {
            unreachable!("a loop is open");
        };
        self.jump(head);
        self.begin(end);
    }

    pub(super) fn break_loop(&mut self) {
        let (end, _) = self.innermost();
        self.jump(end);
    }

    pub(super) fn continue_loop(&mut self) {
        let (_, step) = self.innermost();
        self.jump(step);
    }

    fn innermost(&self) -> (Label, Label) {
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
}
