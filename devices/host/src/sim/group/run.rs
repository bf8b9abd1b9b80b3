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
        let [count, start, limit] = [0; 3].map(|_| self.builder.declare_var(types::I64));
        let [more, plan, long, group, short, failed, singles] = [0; 7].map(|_| self.block());
        self.jump(more);
        self.switch(more);
        let (at, end) = (self.builder.use_var(index), self.end);
        let some = self.compare(CmpOp::Lt, Type::U64, at, end);
        self.branch(some, plan, done);

        self.switch(plan);
        let fault = std::mem::replace(&mut self.fault, failed);
        let left = self.builder.ins().isub(end, at);
        self.builder.def_var(count, left);
        let remembered = Group::new(self, shapes, count).plan();
        let indices = self.builder.use_var(count);
        let ins = self.builder.ins();
        let enough = ins.icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, indices, lanes);
        self.branch(enough, long, short);

        self.switch(long);
        let whole = self.builder.ins().band_imm_s(indices, -lanes);
        let last = self.builder.ins().iadd(at, whole);
        self.builder.def_var(start, at);
        let planned = remembered.iter().map(|r| {
            let value = self.builder.ins().stack_load(types::I64, r.ty, r.slot, 0);
            (r.of, (r.shape, value))
        });
        let planned = planned.collect();
        self.jump(group);
        self.switch(group);
        let (at, first) = (self.builder.use_var(index), self.builder.use_var(start));
        let along = self.builder.ins().isub(at, first);
        Group::new(self, shapes, count).run(planned, along);
        let next = self.builder.ins().iadd_imm_s(at, lanes);
        self.builder.def_var(index, next);
        let again = self.compare(CmpOp::Lt, Type::U64, next, last);
        self.branch(again, group, more);
        self.fault = fault;

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
