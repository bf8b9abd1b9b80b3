//! Arithmetic of a group's values as Cranelift instructions.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{self, Endianness, InstBuilder, MemFlagsData, Value as Ssa, types};
use hotsled_ir::{BinOp, CmpOp, Type, UnOp, Value};

use super::super::body::{Body, clif};
use super::Group;
use super::shape::{Shape, Width};
use super::value::Wide::{self, Falling, Linear, Uniform, Varying};

impl Group<'_, '_, '_, '_> {
    fn lanes(&self) -> u8 {
        self.shapes.width().lanes()
    }

    fn integers(&self) -> ir::Type {
        match self.shapes.width() {
            Width::Four => types::I32X4,
            Width::Two => types::I64X2,
        }
    }

    /// Vector of a group's values; masks of `bool`.
    pub(super) fn vector_type(&self, ty: Type) -> ir::Type {
        match ty {
            Type::F32 => types::F32X4,
            Type::F64 => types::F64X2,
            _ => self.integers(),
        }
    }

    /// All values of a group in a vector.
    pub(super) fn vector(&mut self, ty: Type, value: Wide) -> Ssa {
        match value {
            Varying(vector) => vector.expect("not asked for by the plan"),
            Uniform(flag) if ty == Type::Bool => {
                let lane = self.integers().lane_type();
                let number = self.body.builder.ins().uextend(lane, flag);
                let mask = self.body.builder.ins().ineg(number);
                self.splat(Type::Bool, mask)
            }
            Uniform(value) => self.splat(ty, value),
            Linear(_) | Falling(_) => self.by_lanes(ty, &[(ty, value)], |_, lane| lane[0]),
        }
    }

    pub(super) fn splat(&mut self, ty: Type, value: Ssa) -> Ssa {
        let vector = self.vector_type(ty);
        self.body.builder.ins().splat(vector, value)
    }

    /// The same bits as a vector of another type.
    pub(super) fn cast_bits(&mut self, to: ir::Type, vector: Ssa) -> Ssa {
        if self.body.builder.func.dfg.value_type(vector) == to {
            return vector;
        }
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        self.body.builder.ins().bitcast(to, flags, vector)
    }

    /// Of each lane one of two values.
    pub(super) fn blend(&mut self, ty: Type, mask: Ssa, yes: Ssa, no: Ssa) -> Ssa {
        let (bits, whole) = (self.integers(), self.vector_type(ty));
        let (yes, no) = (self.cast_bits(bits, yes), self.cast_bits(bits, no));
        let chosen = self.body.builder.ins().bitselect(mask, yes, no);
        self.cast_bits(whole, chosen)
    }

    /// Does for each lane what is done for a single value; operands come with their types.
    pub(super) fn by_lanes(
        &mut self,
        ty: Type,
        operands: &[(Type, Wide)],
        mut f: impl FnMut(&mut Body<'_, '_>, &[Ssa]) -> Ssa,
    ) -> Ssa {
        let mut all = None;
        for lane in 0..self.lanes() {
            let of = |this: &mut Self, &(ty, value): &(Type, Wide)| this.lane(ty, value, lane);
            let values: Vec<Ssa> = operands.iter().map(|o| of(self, o)).collect();
            let value = f(self.body, &values);
            all = Some(match all {
                None => self.splat(ty, value),
                Some(all) => self.body.builder.ins().insertlane(all, value, lane),
            });
        }
        all.expect("a group has lanes")
    }

    fn lane(&mut self, ty: Type, value: Wide, lane: u8) -> Ssa {
        let ins = self.body.builder.ins();
        match value {
            Uniform(value) => value,
            Linear(first) => ins.iadd_imm_s(first, i64::from(lane)),
            Falling(first) => ins.iadd_imm_s(first, -i64::from(lane)),
            Varying(vector) => {
                debug_assert_ne!(ty, Type::Bool, "flags are joined as masks");
                ins.extractlane(vector.expect("not asked for by the plan"), lane)
            }
        }
    }

    /// Of the plan: a linear value counts on until it wraps.
    pub(super) fn follows(&mut self, ty: Type, first: Ssa) {
        if self.plans() {
            let left = self.until_wrap(ty, first);
            self.holds_for(ty, left);
        }
    }

    fn until_wrap(&mut self, ty: Type, first: Ssa) -> Ssa {
        let last = self.body.constant(match ty {
            Type::I32 => Value::I32(i32::MAX),
            Type::I64 => Value::I64(i64::MAX),
            Type::U32 => Value::U32(u32::MAX),
            _ => Value::U64(u64::MAX),
        });
        self.body.builder.ins().isub(last, first)
    }

    fn least(&mut self, ty: Type) -> Ssa {
        self.body.constant(match ty {
            Type::I32 => Value::I32(i32::MIN),
            Type::I64 => Value::I64(i64::MIN),
            Type::U32 => Value::U32(0),
            _ => Value::U64(0),
        })
    }

    pub(super) fn unary(&mut self, op: UnOp, ty: Type, a: Wide) -> Wide {
        if let Uniform(a) = a {
            return Uniform(self.body.unary(op, ty, a));
        }
        self.varying(|this| match op {
            UnOp::LeadingZeros | UnOp::CountOnes => {
                this.by_lanes(ty, &[(ty, a)], |body, a| body.unary(op, ty, a[0]))
            }
            _ => {
                let a = this.vector(ty, a);
                match op {
                    UnOp::Not => this.body.builder.ins().bnot(a),
                    UnOp::Round => this.round(ty, a),
                    _ => this.body.unary(op, ty, a),
                }
            }
        })
    }

    pub(super) fn binary(
        &mut self,
        op: BinOp,
        shape: Shape,
        a: (Type, Wide),
        b: (Type, Wide),
    ) -> Wide {
        let ty = a.0;
        match (op, a.1, b.1) {
            _ if shape == Shape::Varying => self.varying(|this| this.varying_binary(op, a, b)),
            (_, Uniform(a), Uniform(b)) => Uniform(self.body.binary(op, ty, a, b)),
            (BinOp::Add | BinOp::Sub, a, b) => {
                Wide::of(shape, self.body.binary(op, ty, a.single(), b.single()))
            }
            (BinOp::Div, Linear(a), Uniform(b)) if !ty.is_signed() => {
                self.row(ty, a, b);
                Uniform(self.body.binary(op, ty, a, b))
            }
            (BinOp::Rem, Linear(a), Uniform(b)) if !ty.is_signed() => {
                self.row(ty, a, b);
                Linear(self.body.binary(op, ty, a, b))
            }
            (BinOp::Min, Linear(a), Uniform(b)) if shape == Shape::Uniform => {
                self.on_this_side(BinOp::Max, ty, a, b);
                Uniform(b)
            }
            (BinOp::Min, Falling(a), Uniform(b)) => {
                self.falls_to(ty, a, b);
                Uniform(b)
            }
            (BinOp::Min | BinOp::Max, Linear(a), Uniform(b))
            | (BinOp::Min | BinOp::Max, Uniform(b), Linear(a)) => {
                self.on_this_side(op, ty, a, b);
                Linear(a)
            }
            _ => self.varying(|this| this.varying_binary(op, a, b)),
        }
    }

    /// Of the plan: quotients keep and remainders count on until the end of the row.
    fn row(&mut self, ty: Type, first: Ssa, divisor: Ssa) {
        if self.plans() {
            self.follows(ty, first);
            let rest = self.body.binary(BinOp::Rem, ty, first, divisor);
            let left = self.body.builder.ins().isub(divisor, rest);
            self.holds_for(ty, left);
        }
    }

    /// Of the plan: minimum or maximum of a linear value and a bound is the value, for as long as it is on
    /// its side of the bound.
    fn on_this_side(&mut self, op: BinOp, ty: Type, first: Ssa, bound: Ssa) {
        if self.plans() {
            let below = if op == BinOp::Min {
                CmpOp::Le
            } else {
                CmpOp::Ge
            };
            let holds = self.compare_run(below, ty, first, bound);
            self.body.check(holds);
        }
    }

    /// Of the plan: a falling value is not below a bound.
    fn falls_to(&mut self, ty: Type, first: Ssa, bound: Ssa) {
        if self.plans() {
            let holds = self.body.compare(CmpOp::Ge, ty, first, bound);
            self.body.check(holds);
            let above = self.body.builder.ins().isub(first, bound);
            let indices = self.body.builder.ins().iadd_imm_s(above, 1);
            self.holds_for(ty, indices);
        }
    }

    fn varying_binary(&mut self, op: BinOp, a: (Type, Wide), b: (Type, Wide)) -> Ssa {
        let ty = a.0;
        match (op, b.1) {
            (BinOp::Shl | BinOp::Shr, Uniform(count)) => {
                let a = self.vector(ty, a.1);
                return self.body.binary(op, ty, a, count);
            }
            (BinOp::Shl | BinOp::Shr, _) => return self.each(op, a, b),
            (BinOp::Div | BinOp::Rem, _) if !ty.is_float() => return self.each(op, a, b),
            (BinOp::Rem, _) => return self.each(op, a, b),
            _ => {}
        }
        let (x, y) = (self.vector(ty, a.1), self.vector(ty, b.1));
        match op {
            BinOp::Hypot => self.hypot(ty, x, y),
            BinOp::Min if ty.is_float() => self.extreme(FloatCC::LessThan, ty, x, y),
            BinOp::Max if ty.is_float() => self.extreme(FloatCC::GreaterThan, ty, x, y),
            BinOp::Min | BinOp::Max if self.shapes.width() == Width::Two => {
                let better = if op == BinOp::Min {
                    CmpOp::Lt
                } else {
                    CmpOp::Gt
                };
                let wins = self.body.compare(better, ty, x, y);
                self.blend(ty, wins, x, y)
            }
            _ => self.body.binary(op, ty, x, y),
        }
    }

    fn each(&mut self, op: BinOp, a: (Type, Wide), b: (Type, Wide)) -> Ssa {
        let ty = a.0;
        self.by_lanes(ty, &[a, b], |body, v| body.binary(op, ty, v[0], v[1]))
    }

    pub(super) fn compare(&mut self, op: CmpOp, ty: Type, a: Wide, b: Wide) -> Wide {
        match (a, b) {
            (Uniform(a), Uniform(b)) => Uniform(self.body.compare(op, ty, a, b)),
            (Linear(a), Uniform(b)) => Uniform(self.compare_run(op, ty, a, b)),
            (Uniform(a), Linear(b)) => Uniform(self.compare_run(mirrored(op), ty, b, a)),
            (Linear(a), Linear(b)) => {
                self.follows(ty, a);
                self.follows(ty, b);
                Uniform(self.body.compare(op, ty, a, b))
            }
            _ => self.varying(|this| {
                let (a, b) = (this.vector(ty, a), this.vector(ty, b));
                this.body.compare(op, ty, a, b)
            }),
        }
    }

    /// A comparison of a linear value; the plan finds where it comes out differently.
    fn compare_run(&mut self, op: CmpOp, ty: Type, first: Ssa, bound: Ssa) -> Ssa {
        let result = self.body.compare(op, ty, first, bound);
        if !self.plans() {
            return result;
        }
        let to_bound = self.body.builder.ins().isub(bound, first);
        let past_bound = self.body.builder.ins().iadd_imm_s(to_bound, 1);
        let to_wrap = self.until_wrap(ty, first);
        let one = self.body.builder.ins().iconst(clif(ty), 1);
        let below = self.body.compare(CmpOp::Lt, ty, first, bound);
        let ins = self.body.builder.ins();
        let left = match op {
            CmpOp::Lt | CmpOp::Ge => ins.select(below, to_bound, to_wrap),
            CmpOp::Le => ins.select(result, past_bound, to_wrap),
            CmpOp::Gt => ins.select(result, to_wrap, past_bound),
            CmpOp::Eq | CmpOp::Ne => {
                let unequal = ins.select(below, to_bound, to_wrap);
                let equal = self.body.compare(CmpOp::Eq, ty, first, bound);
                self.body.builder.ins().select(equal, one, unequal)
            }
        };
        self.holds_for(ty, left);
        result
    }

    pub(super) fn cast(&mut self, from: Type, to: Type, a: Wide) -> Wide {
        match a {
            Uniform(a) => Uniform(self.body.cast(from, to, a)),
            Linear(first) if to.is_integer() => {
                if clif(from) == types::I32 && clif(to) == types::I64 {
                    self.follows(from, first); // beyond a wrap the wider ones part
                }
                Linear(self.body.cast(from, to, first))
            }
            Falling(first) if to.is_integer() => {
                if clif(from) == types::I32 && clif(to) == types::I64 {
                    let least = self.least(from);
                    self.falls_to(from, first, least); // as above
                }
                Falling(self.body.cast(from, to, first))
            }
            Linear(_) | Falling(_) if !self.shapes.width().fits(from) => self.varying(|this| {
                this.by_lanes(to, &[(from, a)], |body, v| body.cast(from, to, v[0]))
            }),
            _ => self.varying(|this| {
                let vector = this.vector(from, a);
                this.cast_varying(from, to, vector)
            }),
        }
    }

    fn cast_varying(&mut self, from: Type, to: Type, a: Ssa) -> Ssa {
        if from == to {
            return a;
        }
        if from == Type::Bool {
            let integers = self.integers();
            let one = self.body.builder.ins().iconst(integers.lane_type(), 1);
            let ones = self.body.builder.ins().splat(integers, one);
            return self.body.builder.ins().band(a, ones);
        }
        let vector = self.vector_type(to);
        if from.is_float() == to.is_float() {
            return a;
        }
        if self.shapes.width() == Width::Two {
            return self.by_lanes(to, &[(from, Varying(Some(a)))], |body, v| {
                body.cast(from, to, v[0])
            });
        }
        let ins = self.body.builder.ins();
        match (from.is_float(), from.is_signed() || to.is_signed()) {
            (true, true) => ins.fcvt_to_sint_sat(vector, a),
            (true, false) => ins.fcvt_to_uint_sat(vector, a),
            (false, true) => ins.fcvt_from_sint(vector, a),
            (false, false) => ins.fcvt_from_uint(vector, a),
        }
    }

    pub(super) fn bits(&mut self, from: Type, to: Type, a: Wide) -> Wide {
        if let Uniform(a) = a {
            let flags = MemFlagsData::new();
            return Uniform(self.body.builder.ins().bitcast(clif(to), flags, a));
        }
        self.varying(|this| {
            let (vector, a) = (this.vector_type(to), this.vector(from, a));
            this.cast_bits(vector, a)
        })
    }

    pub(super) fn mul_add(&mut self, ty: Type, args: [Wide; 3]) -> Wide {
        if let [Uniform(a), Uniform(b), Uniform(c)] = args {
            return Uniform(self.body.mul_add(ty, [a, b, c]));
        }
        let operands = args.map(|a| (ty, a));
        let each = |body: &mut Body<'_, '_>, v: &[Ssa]| body.mul_add(ty, [v[0], v[1], v[2]]);
        self.varying(|this| this.by_lanes(ty, &operands, each))
    }
}

/// The comparison with its sides exchanged.
fn mirrored(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Lt => CmpOp::Gt,
        CmpOp::Le => CmpOp::Ge,
        CmpOp::Gt => CmpOp::Lt,
        CmpOp::Ge => CmpOp::Le,
        CmpOp::Eq | CmpOp::Ne => op,
    }
}
