//! Arithmetic of single values as Cranelift instructions.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlagsData, Signature, Value as Ssa, types};
use hotsled_ir::{BinOp, CmpOp, Type, UnOp, Value};

use super::body::{Body, clif};

impl Body<'_, '_> {
    pub(super) fn constant(&mut self, value: Value) -> Ssa {
        let ins = self.builder.ins();
        match value {
            Value::F32(v) => ins.f32const(v),
            Value::F64(v) => ins.f64const(v),
            Value::Bool(v) => ins.iconst(types::I8, i64::from(v)),
            Value::I32(v) => ins.iconst(types::I32, i64::from(v as u32)),
            Value::U32(v) => ins.iconst(types::I32, i64::from(v)),
            Value::I64(v) => ins.iconst(types::I64, v),
            Value::U64(v) => ins.iconst(types::I64, v as i64),
        }
    }

    pub(super) fn unary(&mut self, op: UnOp, ty: Type, a: Ssa) -> Ssa {
        let float = ty.is_float();
        let ins = self.builder.ins();
        match op {
            UnOp::Neg if float => ins.fneg(a),
            UnOp::Neg => ins.ineg(a),
            UnOp::Abs if float => ins.fabs(a),
            UnOp::Abs => ins.iabs(a),
            UnOp::Not if ty == Type::Bool => ins.bxor_imm_u(a, 1),
            UnOp::Not => ins.bnot(a),
            UnOp::Sqrt => ins.sqrt(a),
            UnOp::Floor => ins.floor(a),
            UnOp::Ceil => ins.ceil(a),
            UnOp::Trunc => ins.trunc(a),
            UnOp::Round => self.round(ty, a),
            UnOp::LeadingZeros => ins.clz(a),
            UnOp::CountOnes => ins.popcnt(a),
        }
    }

    /// `trunc`, one further from zero where at least a half was cut off.
    fn round(&mut self, ty: Type, a: Ssa) -> Ssa {
        let (half, one) = (self.number(ty, 0.5), self.number(ty, 1.0));
        let whole = self.builder.ins().trunc(a);
        let rest = self.builder.ins().fsub(a, whole);
        let rest = self.builder.ins().fabs(rest);
        let up = self
            .builder
            .ins()
            .fcmp(FloatCC::GreaterThanOrEqual, rest, half);
        let step = self.builder.ins().fcopysign(one, a);
        let further = self.builder.ins().fadd(whole, step);
        self.builder.ins().select(up, further, whole)
    }

    pub(super) fn number(&mut self, ty: Type, value: f32) -> Ssa {
        let value = if ty == Type::F64 {
            Value::F64(f64::from(value))
        } else {
            Value::F32(value)
        };
        self.constant(value)
    }

    pub(super) fn binary(&mut self, op: BinOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        if ty.is_float() {
            self.float_binary(op, ty, a, b)
        } else {
            self.integer_binary(op, ty, a, b)
        }
    }

    fn float_binary(&mut self, op: BinOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        match op {
            BinOp::Add => self.builder.ins().fadd(a, b),
            BinOp::Sub => self.builder.ins().fsub(a, b),
            BinOp::Mul => self.builder.ins().fmul(a, b),
            BinOp::Div => self.builder.ins().fdiv(a, b),
            BinOp::Min => self.extreme(FloatCC::LessThan, ty, a, b),
            BinOp::Max => self.extreme(FloatCC::GreaterThan, ty, a, b),
            BinOp::Hypot => self.hypot(ty, a, b),
            BinOp::Rem => self.remainder(ty, a, b),
            _ => unreachable!("validated: an operator of floats"),
        }
    }

    /// As `hotsled_ir::math` defines min and max: the better one; for equals the bits decide the zero's
    /// sign; the other one for NaN.
    fn extreme(&mut self, better: FloatCC, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let bits = if ty == Type::F64 {
            types::I64
        } else {
            types::I32
        };
        let flags = MemFlagsData::new();
        let x = self.builder.ins().bitcast(bits, flags, a);
        let y = self.builder.ins().bitcast(bits, flags, b);
        let joined = match better {
            FloatCC::LessThan => self.builder.ins().bor(x, y),
            _ => self.builder.ins().band(x, y),
        };
        let joined = self.builder.ins().bitcast(clif(ty), flags, joined);
        let equal = self.builder.ins().fcmp(FloatCC::Equal, a, b);
        let wins = self.builder.ins().fcmp(better, a, b);
        let a_is_nan = self.builder.ins().fcmp(FloatCC::Unordered, a, a);
        let b_is_nan = self.builder.ins().fcmp(FloatCC::Unordered, b, b);
        let ordered = self.builder.ins().select(wins, a, b);
        let equals = self.builder.ins().select(equal, joined, ordered);
        let without_b = self.builder.ins().select(b_is_nan, a, equals);
        self.builder.ins().select(a_is_nan, b, without_b)
    }

    fn hypot(&mut self, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let wide = |this: &mut Self, v| {
            if ty == Type::F32 {
                this.builder.ins().fpromote(types::F64, v)
            } else {
                v
            }
        };
        let (x, y) = (wide(self, a), wide(self, b));
        let xx = self.builder.ins().fmul(x, x);
        let yy = self.builder.ins().fmul(y, y);
        let sum = self.builder.ins().fadd(xx, yy);
        let root = self.builder.ins().sqrt(sum);
        let root = if ty == Type::F32 {
            self.builder.ins().fdemote(types::F32, root)
        } else {
            root
        };
        let infinity = self.number(ty, f32::INFINITY);
        let mut result = root;
        for side in [a, b] {
            let size = self.builder.ins().fabs(side);
            let infinite = self.builder.ins().fcmp(FloatCC::Equal, size, infinity);
            result = self.builder.ins().select(infinite, infinity, result);
        }
        result
    }

    fn remainder(&mut self, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let routine = if ty == Type::F64 {
            remainder_f64 as *const ()
        } else {
            remainder_f32 as *const ()
        };
        self.routine(routine, ty, &[a, b])
    }

    pub(super) fn mul_add(&mut self, ty: Type, args: [Ssa; 3]) -> Ssa {
        let routine = if ty == Type::F64 {
            mul_add_f64 as *const ()
        } else {
            mul_add_f32 as *const ()
        };
        self.routine(routine, ty, &args)
    }

    /// Calls a routine of the device, whose address is part of the code; operands and result are of
    /// one type.
    fn routine(&mut self, routine: *const (), ty: Type, args: &[Ssa]) -> Ssa {
        let mut signature = Signature::new(self.convention);
        let value = AbiParam::new(clif(ty));
        signature.params.extend(args.iter().map(|_| value));
        signature.returns.push(value);
        let signature = self.builder.import_signature(signature);
        let address = self.builder.ins().iconst(types::I64, routine as i64);
        let call = self.builder.ins().call_indirect(signature, address, args);
        self.builder.inst_results(call)[0]
    }

    pub(super) fn integer_binary(&mut self, op: BinOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let signed = ty.is_signed();
        if matches!(op, BinOp::Div | BinOp::Rem) {
            return self.divide(op, ty, a, b);
        }
        let ins = self.builder.ins();
        match op {
            BinOp::Add => ins.iadd(a, b),
            BinOp::Sub => ins.isub(a, b),
            BinOp::Mul => ins.imul(a, b),
            BinOp::And => ins.band(a, b),
            BinOp::Or => ins.bor(a, b),
            BinOp::Xor => ins.bxor(a, b),
            BinOp::Shl => ins.ishl(a, b), // Cranelift masks the count
            BinOp::Shr if signed => ins.sshr(a, b),
            BinOp::Shr => ins.ushr(a, b),
            BinOp::Min if signed => ins.smin(a, b),
            BinOp::Min => ins.umin(a, b),
            BinOp::Max if signed => ins.smax(a, b),
            BinOp::Max => ins.umax(a, b),
            _ => unreachable!("validated: an operator of integers"),
        }
    }

    /// Faults on a zero divisor, and on `MIN / -1`.
    fn divide(&mut self, op: BinOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let nonzero = self.builder.ins().icmp_imm_s(IntCC::NotEqual, b, 0);
        self.check(nonzero);
        if !ty.is_signed() {
            let ins = self.builder.ins();
            return if op == BinOp::Div {
                ins.udiv(a, b)
            } else {
                ins.urem(a, b)
            };
        }
        let least = if ty == Type::I64 {
            i64::MIN
        } else {
            i64::from(i32::MIN)
        };
        let least = self.builder.ins().iconst(
            clif(ty),
            if ty == Type::I64 {
                least
            } else {
                least & 0xffff_ffff
            },
        );
        let a_is_least = self.builder.ins().icmp(IntCC::NotEqual, a, least);
        let b_is_minus_one = self.builder.ins().icmp_imm_s(IntCC::NotEqual, b, -1);
        let defined = self.builder.ins().bor(a_is_least, b_is_minus_one);
        self.check(defined);
        let ins = self.builder.ins();
        if op == BinOp::Div {
            ins.sdiv(a, b)
        } else {
            ins.srem(a, b)
        }
    }

    pub(super) fn compare(&mut self, op: CmpOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        if ty.is_float() {
            let cc = match op {
                CmpOp::Eq => FloatCC::Equal,
                CmpOp::Ne => FloatCC::NotEqual,
                CmpOp::Lt => FloatCC::LessThan,
                CmpOp::Le => FloatCC::LessThanOrEqual,
                CmpOp::Gt => FloatCC::GreaterThan,
                CmpOp::Ge => FloatCC::GreaterThanOrEqual,
            };
            return self.builder.ins().fcmp(cc, a, b);
        }
        let cc = match (op, ty.is_signed()) {
            (CmpOp::Eq, _) => IntCC::Equal,
            (CmpOp::Ne, _) => IntCC::NotEqual,
            (CmpOp::Lt, true) => IntCC::SignedLessThan,
            (CmpOp::Le, true) => IntCC::SignedLessThanOrEqual,
            (CmpOp::Gt, true) => IntCC::SignedGreaterThan,
            (CmpOp::Ge, true) => IntCC::SignedGreaterThanOrEqual,
            (CmpOp::Lt, false) => IntCC::UnsignedLessThan,
            (CmpOp::Le, false) => IntCC::UnsignedLessThanOrEqual,
            (CmpOp::Gt, false) => IntCC::UnsignedGreaterThan,
            (CmpOp::Ge, false) => IntCC::UnsignedGreaterThanOrEqual,
        };
        self.builder.ins().icmp(cc, a, b)
    }

    pub(super) fn cast(&mut self, from: Type, to: Type, a: Ssa) -> Ssa {
        let (source, target) = (clif(from), clif(to));
        let ins = self.builder.ins();
        match (from.is_float(), to.is_float()) {
            _ if source == target => a,
            (true, true) if target == types::F64 => ins.fpromote(target, a),
            (true, true) => ins.fdemote(target, a),
            (true, false) if to.is_signed() => ins.fcvt_to_sint_sat(target, a),
            (true, false) => ins.fcvt_to_uint_sat(target, a),
            (false, true) if from.is_signed() => ins.fcvt_from_sint(target, a),
            (false, true) => ins.fcvt_from_uint(target, a),
            (false, false) if target.bits() < source.bits() => ins.ireduce(target, a),
            (false, false) if from.is_signed() => ins.sextend(target, a),
            (false, false) => ins.uextend(target, a),
        }
    }
}

extern "C" fn remainder_f32(a: f32, b: f32) -> f32 {
    a % b
}

extern "C" fn mul_add_f32(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

extern "C" fn mul_add_f64(a: f64, b: f64, c: f64) -> f64 {
    a.mul_add(b, c)
}

extern "C" fn remainder_f64(a: f64, b: f64) -> f64 {
    a % b
}
