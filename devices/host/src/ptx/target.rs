//! Registers and plain instructions. Float arithmetic names its rounding, so that `ptxas` fuses nothing, and
//! never flushes subnormals.

use std::collections::HashSet;
use std::fmt::{Arguments, Write as _};

use hotsled_ir::{AccOp, BinOp, CmpOp, Elem, Type, UnOp, Value};

use super::control::Frame;
use super::register::{CLASSES, Class, Register};
use crate::args::Layout;
use crate::cannot::Cannot;
use crate::emit::{Plain, Result, Target, is_float, is_signed};

/// A function that is being written.
pub(super) struct Ptx {
    pub(super) text: String,
    pub(super) frames: Vec<Frame>,
    pub(super) labels: usize,
    pub(super) left: bool,
    /// Float operations left to the device.
    pub(super) floats: HashSet<Plain>,
    /// Registers used of each class.
    used: [usize; CLASSES.len()],
    words: Vec<Register>,
    /// Bytes of each local array.
    locals: Vec<u64>,
}

/// A local array, by its number.
#[derive(Clone, Copy)]
pub(super) struct Local(usize);

/// Bytes of an element of a local array.
fn bytes(ty: Type) -> u64 {
    match Class::of(ty) {
        Class::Long | Class::Double => 8,
        Class::Truth | Class::Short | Class::Single => 4,
    }
}

impl Ptx {
    pub(super) fn new(layout: &Layout) -> Self {
        let mut this = Self {
            text: String::new(),
            frames: Vec::new(),
            labels: 0,
            left: false,
            floats: HashSet::new(),
            used: [0; CLASSES.len()],
            words: Vec::new(),
            locals: Vec::new(),
        };
        for n in 0..layout.words() {
            let word = this.register(Class::Long);
            this.line(format_args!("ld.param.u64 {word}, [block+{}]", 8 * n));
            this.words.push(word);
        }
        this
    }

    pub(super) fn finish(self, layout: &Layout, architecture: u32) -> String {
        let mut out = format!(".version 7.8\n.target sm_{architecture}\n.address_size 64\n\n");
        let bytes = 8 * layout.words();
        let _ = writeln!(
            out,
            ".visible .entry section(.param .align 8 .b8 block[{bytes}])\n{{"
        );
        for (class, name, ty) in CLASSES {
            let count = self.used[class as usize];
            if count > 0 {
                let _ = writeln!(out, "    .reg .{ty} {name}<{count}>;");
            }
        }
        for (number, bytes) in self.locals.iter().enumerate() {
            let _ = writeln!(out, "    .local .align 8 .b8 array{number}[{bytes}];");
        }
        out + &self.text + "    ret;\n}\n"
    }

    pub(super) fn line(&mut self, instruction: Arguments<'_>) {
        let _ = writeln!(self.text, "    {instruction};");
    }

    fn note(&mut self, operation: Plain, ty: Type) {
        if is_float(ty) {
            self.floats.insert(operation);
        }
    }

    fn register(&mut self, class: Class) -> Register {
        let number = &mut self.used[class as usize];
        *number += 1;
        Register {
            class,
            number: *number - 1,
        }
    }

    /// An instruction with a result of this class.
    fn op(&mut self, class: Class, name: &str, operands: &[Register]) -> Register {
        let result = self.register(class);
        let operands: String = operands.iter().map(|r| format!(", {r}")).collect();
        self.line(format_args!("{name} {result}{operands}"));
        result
    }

    /// Address of an element of a local array.
    fn place(&mut self, ty: Type, Local(array): Local, at: Register) -> Register {
        let (start, size) = (self.register(Class::Long), self.register(Class::Long));
        self.line(format_args!("mov.u64 {start}, array{array}"));
        self.line(format_args!("mov.b64 {size}, {}", bytes(ty)));
        let offset = self.op(Class::Long, "mul.lo.u64", &[at, size]);
        self.op(Class::Long, "add.u64", &[start, offset])
    }

    fn truth(&mut self, name: &str, operands: &[Register]) -> Register {
        self.op(Class::Truth, &format!("{name}.pred"), operands)
    }

    fn typed(&mut self, name: &str, ty: Type, operands: [Register; 2]) -> Register {
        self.op(Class::of(ty), &format!("{name}.{}", kind(ty)), &operands)
    }
}

/// A type as instructions name it where its sign matters.
fn kind(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "pred",
        Type::I32 => "s32",
        Type::U32 => "u32",
        Type::I64 => "s64",
        Type::U64 => "u64",
        Type::F32 => "f32",
        Type::F64 => "f64",
    }
}

/// An element in memory.
#[allow(unreachable_patterns)] // the virtual ISA grows
fn stored(elem: Elem) -> Result<&'static str> {
    Ok(match elem {
        Elem::U8 => "u8",
        Elem::I8 => "s8",
        Elem::U16 => "u16",
        Elem::I16 => "s16",
        Elem::F32 | Elem::I32 | Elem::U32 | Elem::F64 | Elem::I64 | Elem::U64 => {
            kind(elem.value_type())
        }
        other => return Err(Cannot::construct(&other)),
    })
}

impl Target for Ptx {
    type Value = Register;
    type Variable = Register;
    type Array = Local;

    fn constant(&mut self, value: Value) -> Result<Register> {
        let result = self.register(Class::of(value.ty()));
        match value {
            Value::Bool(v) => self.line(format_args!("mov.pred {result}, {}", -i32::from(v))),
            Value::F32(v) => self.line(format_args!("mov.f32 {result}, 0f{:08x}", v.to_bits())),
            Value::F64(v) => self.line(format_args!("mov.f64 {result}, 0d{:016x}", v.to_bits())),
            Value::I32(_) | Value::U32(_) | Value::I64(_) | Value::U64(_) => {
                let bits = result.class.suffix();
                self.line(format_args!("mov.{bits} {result}, {:#x}", value.bits()));
            }
        }
        Ok(result)
    }

    fn variable(&mut self, ty: Type) -> Result<Register> {
        Ok(self.register(Class::of(ty)))
    }

    fn get(&mut self, ty: Type, variable: Register) -> Register {
        let class = Class::of(ty);
        self.op(class, &format!("mov.{}", class.suffix()), &[variable])
    }

    fn set(&mut self, variable: Register, value: Register) {
        self.line(format_args!(
            "mov.{} {variable}, {value}",
            variable.class.suffix()
        ));
    }

    fn array(&mut self, ty: Type, len: u32) -> Result<Local> {
        let local = Local(self.locals.len());
        self.locals.push(bytes(ty) * u64::from(len));
        Ok(local)
    }

    fn get_element(&mut self, ty: Type, array: Local, at: Register) -> Register {
        let place = self.place(ty, array, at);
        if ty == Type::Bool {
            let value = self.register(Class::Short);
            self.line(format_args!("ld.local.u32 {value}, [{place}]"));
            let zero = self.register(Class::Short);
            self.line(format_args!("mov.b32 {zero}, 0"));
            return self.op(Class::Truth, "setp.ne.u32", &[value, zero]);
        }
        let result = self.register(Class::of(ty));
        self.line(format_args!("ld.local.{} {result}, [{place}]", kind(ty)));
        result
    }

    fn set_element(&mut self, ty: Type, array: Local, at: Register, value: Register) {
        let place = self.place(ty, array, at);
        if ty == Type::Bool {
            let number = self.register(Class::Short);
            self.line(format_args!("selp.b32 {number}, 1, 0, {value}"));
            self.line(format_args!("st.local.u32 [{place}], {number}"));
            return;
        }
        self.line(format_args!("st.local.{} [{place}], {value}", kind(ty)));
    }

    fn word(&mut self, n: usize) -> Register {
        self.words[n]
    }

    fn invocation(&mut self) -> Register {
        let [group, size, number] = ["%ctaid.x", "%ntid.x", "%tid.x"].map(|name| {
            let result = self.register(Class::Short);
            self.line(format_args!("mov.u32 {result}, {name}"));
            result
        });
        let first = self.op(Class::Long, "mul.wide.u32", &[group, size]);
        let number = self.op(Class::Long, "cvt.u64.u32", &[number]);
        self.op(Class::Long, "add.u64", &[first, number])
    }

    fn load(&mut self, elem: Elem, address: Register, _shared: bool) -> Result<Register> {
        let result = self.register(Class::of(elem.value_type()));
        self.line(format_args!(
            "ld.global.{} {result}, [{address}]",
            stored(elem)?
        ));
        Ok(result)
    }

    fn store(&mut self, elem: Elem, address: Register, value: Register) -> Result {
        self.line(format_args!(
            "st.global.{} [{address}], {value}",
            stored(elem)?
        ));
        Ok(())
    }

    fn combine(&mut self, op: AccOp, elem: Elem, address: Register, value: Register) -> Result {
        let (ty, bits) = (
            kind(elem.value_type()),
            Class::of(elem.value_type()).suffix(),
        );
        let unsigned = ty.replace('s', "u");
        let (name, ty) = match op {
            AccOp::Add => ("add", unsigned.as_str()),
            AccOp::Min => ("min", ty),
            AccOp::Max => ("max", ty),
            AccOp::And => ("and", bits),
            AccOp::Or => ("or", bits),
            AccOp::Xor => ("xor", bits),
        };
        self.line(format_args!("red.global.{name}.{ty} [{address}], {value}"));
        Ok(())
    }

    fn mul_add(&mut self, ty: Type, a: Register, b: Register, c: Register) -> Result<Register> {
        self.note(Plain::MulAdd(ty), ty);
        let name = format!("fma.rn.{}", kind(ty));
        Ok(self.op(Class::of(ty), &name, &[a, b, c]))
    }

    fn unary(&mut self, op: UnOp, ty: Type, a: Register) -> Result<Register> {
        self.note(Plain::Unary(op, ty), ty);
        let (class, name) = (Class::of(ty), kind(ty));
        let instruction = match op {
            UnOp::Not => format!("not.{}", class.suffix()),
            UnOp::Sqrt => format!("sqrt.rn.{name}"),
            UnOp::Floor => format!("cvt.rmi.{name}.{name}"),
            UnOp::Ceil => format!("cvt.rpi.{name}.{name}"),
            other => return Err(Cannot::construct(&other)),
        };
        Ok(self.op(class, &instruction, &[a]))
    }

    fn binary(&mut self, op: BinOp, ty: Type, a: Register, b: Register) -> Result<Register> {
        self.note(Plain::Binary(op, ty), ty);
        let class = Class::of(ty);
        let (float, bits) = (is_float(ty), class.suffix());
        let name = match op {
            BinOp::Add if float => "add.rn",
            BinOp::Sub if float => "sub.rn",
            BinOp::Mul if float => "mul.rn",
            BinOp::Div if float => "div.rn",
            BinOp::Add => "add",
            BinOp::Sub => "sub",
            BinOp::Mul => "mul.lo",
            BinOp::Div => "div",
            BinOp::Rem if !float => "rem",
            BinOp::Shr => "shr",
            BinOp::And => return Ok(self.op(class, &format!("and.{bits}"), &[a, b])),
            BinOp::Or => return Ok(self.op(class, &format!("or.{bits}"), &[a, b])),
            BinOp::Xor => return Ok(self.op(class, &format!("xor.{bits}"), &[a, b])),
            BinOp::Shl => return Ok(self.op(class, &format!("shl.{bits}"), &[a, b])),
            other => return Err(Cannot::construct(&other)),
        };
        Ok(self.typed(name, ty, [a, b]))
    }

    fn compare(&mut self, op: CmpOp, ty: Type, a: Register, b: Register) -> Result<Register> {
        if ty == Type::Bool {
            let differ = self.truth("xor", &[a, b]);
            return Ok(if op == CmpOp::Ne {
                differ
            } else {
                self.truth("not", &[differ])
            });
        }
        self.note(Plain::Compare(ty), ty);
        let name = match op {
            CmpOp::Eq => "eq",
            CmpOp::Ne if is_float(ty) => "neu",
            CmpOp::Ne => "ne",
            CmpOp::Lt => "lt",
            CmpOp::Le => "le",
            CmpOp::Gt => "gt",
            CmpOp::Ge => "ge",
        };
        Ok(self.op(Class::Truth, &format!("setp.{name}.{}", kind(ty)), &[a, b]))
    }

    fn select(&mut self, ty: Type, condition: Register, yes: Register, no: Register) -> Register {
        let class = Class::of(ty);
        if class != Class::Truth {
            return self.op(
                class,
                &format!("selp.{}", class.suffix()),
                &[yes, no, condition],
            );
        }
        let yes = self.truth("and", &[condition, yes]);
        let other = self.truth("not", &[condition]);
        let no = self.truth("and", &[other, no]);
        self.truth("or", &[yes, no])
    }

    fn convert(&mut self, from: Type, to: Type, a: Register) -> Result<Register> {
        let class = Class::of(to);
        if class == a.class {
            return Ok(a);
        }
        if is_float(from) || is_float(to) {
            self.floats.insert(Plain::Convert(from, to));
        }
        let rounding = match (is_float(from), is_float(to)) {
            (true, true) if to == Type::F64 => "",
            (_, true) => ".rn",
            (true, false) => ".rzi",
            (false, false) => "",
        };
        // A wider integer takes the sign of the narrow one.
        let to = match (is_float(from) || is_float(to), is_signed(from)) {
            (true, _) => to,
            (false, true) if class == Class::Long => Type::I64,
            (false, _) if class == Class::Long => Type::U64,
            (false, _) => Type::U32,
        };
        let name = format!("cvt{rounding}.{}.{}", kind(to), kind(from));
        Ok(self.op(class, &name, &[a]))
    }

    fn reinterpret(&mut self, _from: Type, to: Type, a: Register) -> Register {
        let class = Class::of(to);
        if class == a.class {
            return a;
        }
        let bits = if matches!(class, Class::Long | Class::Double) {
            "b64"
        } else {
            "b32"
        };
        self.op(class, &format!("mov.{bits}"), &[a])
    }

    fn begin_if(&mut self, condition: Register) {
        self.open_if(condition);
    }

    fn begin_else(&mut self) {
        self.open_else();
    }

    fn end_if(&mut self) {
        self.close_if();
    }

    fn begin_loop(&mut self) {
        self.open_loop();
    }

    fn begin_step(&mut self) {
        self.open_step();
    }

    fn end_loop(&mut self) {
        self.close_loop();
    }

    fn leave_loop(&mut self) {
        self.break_loop();
    }

    fn next_turn(&mut self) {
        self.continue_loop();
    }

    fn left(&self) -> bool {
        self.left
    }

    fn fault(&mut self, flag: Register) {
        let one = self.register(Class::Short);
        self.line(format_args!("mov.b32 {one}, 1"));
        self.line(format_args!("st.global.u32 [{flag}], {one}"));
        self.line(format_args!("ret"));
        self.left = true;
    }
}
