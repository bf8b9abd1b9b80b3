//! Runs: planned at their first index, computed group by group, and what is left one by one.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, types};
use hotsled_ir::{CmpOp, Type};

use super::super::body::Body;
use super::{Group, Shapes};

/// Indices that run one by one after a check of the plan failed.
const SINGLES: i64 = 8;

impl Body<'_, '_> {
    /// Runs all indices, by groups where that is possible, then goes on at `done`.
    pub(in crate::sim) fn by_groups(&mut self, shapes: &Shapes<'_>, done: ir::Block) {
        let lanes = i64::from(shapes.width().lanes());
        let index = self.local(self.module.index);
        let [count, limit] = [0; 2].map(|_| self.builder.declare_var(types::I64));
        let [more, plan, long, ready, group, short, failed, singles] = [0; 8].map(|_| self.block());
        self.jump(more);
        self.switch(more);
        let (at, end) = (self.builder.use_var(index), self.end);
        let some = self.compare(CmpOp::Lt, Type::U64, at, end);
        self.branch(some, plan, done);

        self.switch(plan);
        let fault = std::mem::replace(&mut self.fault, failed);
        let left = self.builder.ins().isub(end, at);
        self.builder.def_var(count, left);
        let notes = Group::new(self, shapes, count).plan();
        let indices = self.builder.use_var(count);
        let ins = self.builder.ins();
        let enough = ins.icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, indices, lanes);
        self.branch(enough, long, short);

        self.switch(long);
        let whole = self.builder.ins().band_imm_s(indices, -lanes);
        let last = self.builder.ins().iadd(at, whole);
        let rest = self.builder.ins().isub(indices, whole);
        self.builder.def_var(count, rest);
        self.jump(ready);

        self.switch(group);
        let notes = Group::new(self, shapes, count).run(notes);
        let at = self.builder.use_var(index);
        let next = self.builder.ins().iadd_imm_s(at, lanes);
        self.builder.def_var(index, next);
        let again = self.compare(CmpOp::Lt, Type::U64, next, last);
        self.branch(again, group, singles);
        self.fault = fault;
        self.switch(ready);
        notes.take(self);
        self.jump(group);

        self.switch(short);
        let one = self.builder.ins().iconst(types::I64, 1);
        let few = self.builder.ins().umax(indices, one);
        self.builder.def_var(count, few);
        self.jump(singles);
        self.switch(failed);
        let few = self.builder.ins().iconst(types::I64, SINGLES);
        self.builder.def_var(count, few);
        self.jump(singles);
        self.switch(singles);
        let (at, few) = (self.builder.use_var(index), self.builder.use_var(count));
        let left = self.builder.ins().isub(end, at);
        let few = self.builder.ins().umin(few, left);
        let until = self.builder.ins().iadd(at, few);
        self.builder.def_var(limit, until);
        self.one_by_one(limit, more);
    }
}
