//! Runs of elements in memory.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value as Ssa, types};
use hotsled_ir::{Elem, ParamId, Type};

use super::Group;
use super::value::Wide;

impl Group<'_, '_, '_, '_> {
    /// Address of a run of elements; the plan checks how many of them the slice holds.
    pub(super) fn run_address(&mut self, param: ParamId, first: Ssa) -> Ssa {
        if !self.plans() {
            return self.body.address(param, first);
        }
        let address = self.body.element(param, first);
        let len = self.body.slots[usize::from(param.0)].len;
        let held = self.body.builder.ins().isub(len, first);
        self.holds_for(Type::U64, held);
        address
    }

    /// Address of the group's elements of an own slice.
    pub(super) fn own_address(&mut self, param: ParamId) -> Ssa {
        let index = self.index();
        self.run_address(param, index)
    }

    /// A run of elements so many bytes beyond an address, widened as loads are.
    pub(super) fn load_run(&mut self, elem: Elem, address: Ssa, bytes: i32) -> Ssa {
        let flags = MemFlagsData::new().with_notrap(); // a run starts at any element
        let ins = self.body.builder.ins();
        match elem {
            Elem::U8 | Elem::I8 => {
                let bytes = ins.load(types::I32, flags, address, bytes);
                let vector = self
                    .body
                    .builder
                    .ins()
                    .scalar_to_vector(types::I32X4, bytes);
                let bytes = self.cast_bits(types::I8X16, vector);
                let halves = self.widen(elem, bytes);
                self.widen(elem, halves)
            }
            Elem::U16 | Elem::I16 => {
                let halves = ins.load(types::I64, flags, address, bytes);
                let vector = self
                    .body
                    .builder
                    .ins()
                    .scalar_to_vector(types::I64X2, halves);
                let halves = self.cast_bits(types::I16X8, vector);
                self.widen(elem, halves)
            }
            _ => {
                let vector = self.vector_type(elem.value_type());
                self.body.builder.ins().load(vector, flags, address, bytes)
            }
        }
    }

    /// Elements at places that vary, each checked.
    pub(super) fn gather(&mut self, param: ParamId, at: Wide) -> Ssa {
        let elem = self.body.elem(param);
        self.by_lanes(elem.value_type(), &[(Type::U64, at)], |body, at| {
            let address = body.element(param, at[0]);
            body.load(elem, address)
        })
    }

    fn widen(&mut self, elem: Elem, vector: Ssa) -> Ssa {
        let ins = self.body.builder.ins();
        match elem {
            Elem::I8 | Elem::I16 => ins.swiden_low(vector),
            _ => ins.uwiden_low(vector),
        }
    }

    /// What a load would give after `value` was stored.
    pub(super) fn as_stored(&mut self, elem: Elem, value: Ssa) -> Ssa {
        let bits = match elem {
            Elem::U8 | Elem::I8 => 24,
            Elem::U16 | Elem::I16 => 16,
            _ => return value,
        };
        let high = self.body.builder.ins().ishl_imm_u(value, bits);
        let ins = self.body.builder.ins();
        match elem {
            Elem::I8 | Elem::I16 => ins.sshr_imm_u(high, bits),
            _ => ins.ushr_imm_u(high, bits),
        }
    }

    /// Stores the group's elements of an own slice; those of narrow ones are in range.
    pub(super) fn store_run(&mut self, param: ParamId, value: Ssa) {
        let elem = self.body.elem(param);
        let address = self.own_address(param);
        let value = match elem {
            Elem::U8 | Elem::I8 => {
                let halves = self.narrow(elem, value);
                let bytes = self.narrow(elem, halves);
                let words = self.cast_bits(types::I32X4, bytes);
                self.body.builder.ins().extractlane(words, 0)
            }
            Elem::U16 | Elem::I16 => {
                let halves = self.narrow(elem, value);
                let words = self.cast_bits(types::I64X2, halves);
                self.body.builder.ins().extractlane(words, 0)
            }
            _ => value,
        };
        let flags = MemFlagsData::new().with_notrap(); // a run starts at any element
        self.body.builder.ins().store(flags, value, address, 0);
    }

    fn narrow(&mut self, elem: Elem, vector: Ssa) -> Ssa {
        let ins = self.body.builder.ins();
        match elem {
            Elem::I8 | Elem::I16 => ins.snarrow(vector, vector),
            _ => ins.unarrow(vector, vector),
        }
    }
}
