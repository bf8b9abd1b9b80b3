//! Module to bytes. `docs/virtual-isa.md` has the layout.

use std::ops::Range;

use crate::link::Function;
use crate::types::*;

pub(crate) const MAGIC: &[u8; 4] = b"HSIR";
pub(crate) const VERSION: u8 = 2;

/// The binary form: flat, little-endian, without alignment or relocations.
///
/// ```
/// use hotsled_ir::*;
/// let module = Module {
///     name: "nothing".into(), params: vec![], prelude: vec![], body: vec![], arrays: vec![],
///     locals: vec![Local { name: "i".into(), ty: Type::U64 }], index: LocalId(0),
/// };
/// assert_eq!(decode(&encode(&module)).unwrap(), module);
/// ```
pub fn encode(module: &Module) -> Vec<u8> {
    encode_unlinked(module, 0).bytes
}

/// Bytes that those of the called functions must follow, and where in them numbers stand. A macro may leave such a
/// number to the compiler: any LEB128 form of another one may take its place, also a longer one.
#[derive(Clone, Debug, Default)]
pub struct Unlinked {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where the lengths of the arrays stand, in their order.
    pub lens: Vec<Range<usize>>,
    /// Where the bits of constants stand, in the order of the statements.
    pub constants: Vec<Range<usize>>,
}

/// The binary form of a module that calls `imports` functions: complete once the bytes of those
/// functions follow it, in order.
pub fn encode_unlinked(module: &Module, imports: u16) -> Unlinked {
    let mut out = Out(Unlinked {
        bytes: MAGIC.to_vec(),
        ..Unlinked::default()
    });
    out.byte(VERSION);
    out.text(&module.name);
    out.count(module.params.len());
    for param in &module.params {
        out.text(&param.name);
        out.kind(param.kind);
    }
    out.locals(&module.locals, &module.arrays);
    out.number(u64::from(module.index.0));
    out.block(&module.prelude);
    out.block(&module.body);
    out.number(u64::from(imports));
    out.0
}

/// The bytes of a function; complete once the bytes of its own imports follow them.
pub fn encode_function(function: &Function) -> Unlinked {
    let mut out = Out(Unlinked::default());
    out.text(&function.name);
    out.number(u64::from(function.params));
    out.locals(&function.locals, &function.arrays);
    out.block(&function.body);
    out.expr(&function.value);
    out.number(u64::from(function.imports));
    out.0
}

struct Out(Unlinked);

impl Out {
    fn byte(&mut self, byte: u8) {
        self.0.bytes.push(byte);
    }

    /// LEB128: seven bits a byte, low first.
    fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.byte(n as u8 | 0x80);
            n >>= 7;
        }
        self.byte(n as u8);
    }

    /// A number, and where it stands.
    fn placed(&mut self, n: u64) -> Range<usize> {
        let start = self.0.bytes.len();
        self.number(n);
        start..self.0.bytes.len()
    }

    fn count(&mut self, n: usize) {
        self.number(n as u64);
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.bytes.extend(text.as_bytes());
    }

    fn locals(&mut self, locals: &[Local], arrays: &[Array]) {
        self.count(locals.len());
        for local in locals {
            self.text(&local.name);
            self.byte(local.ty as u8);
        }
        self.count(arrays.len());
        for array in arrays {
            self.text(&array.name);
            self.byte(array.ty as u8);
            let place = self.placed(u64::from(array.len));
            self.0.lens.push(place);
        }
    }

    fn kind(&mut self, kind: ParamKind) {
        let (tag, of) = match kind {
            ParamKind::Scalar(ty) => (0, ty as u8),
            ParamKind::Input(elem) => (1, elem as u8),
            ParamKind::Own(elem) => (2, elem as u8),
            ParamKind::Accumulator(elem, _) => (3, elem as u8),
        };
        self.byte(tag);
        self.byte(of);
        if let ParamKind::Accumulator(_, op) = kind {
            self.byte(op as u8);
        }
    }

    fn block(&mut self, block: &[Stmt]) {
        self.count(block.len());
        block.iter().for_each(|s| self.stmt(s));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Set(local, value) => {
                self.byte(0);
                self.number(u64::from(local.0));
                self.expr(value);
            }
            Stmt::Store(param, value) => {
                self.byte(1);
                self.number(u64::from(param.0));
                self.expr(value);
            }
            Stmt::If(condition, yes, no) => {
                self.byte(2);
                self.expr(condition);
                self.block(yes);
                self.block(no);
            }
            Stmt::For {
                var,
                start,
                end,
                body,
            } => {
                self.byte(3);
                self.number(u64::from(var.0));
                self.expr(start);
                self.expr(end);
                self.block(body);
            }
            Stmt::Loop(body) => {
                self.byte(4);
                self.block(body);
            }
            Stmt::Break => self.byte(5),
            Stmt::Continue => self.byte(6),
            Stmt::Fault => self.byte(7),
            Stmt::Fill(array, value) => {
                self.tagged(8, array.0);
                self.expr(value);
            }
            Stmt::SetElement(array, index, value) => {
                self.tagged(9, array.0);
                self.expr(index);
                self.expr(value);
            }
            Stmt::Accumulate(param, index, value) => {
                self.tagged(10, param.0);
                self.expr(index);
                self.expr(value);
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Const(value) => self.constant(*value),
            Expr::Local(local) => self.tagged(1, local.0),
            Expr::Scalar(param) => self.tagged(2, param.0),
            Expr::Len(param) => self.tagged(3, param.0),
            Expr::Load(param, index) => {
                self.tagged(4, param.0);
                self.expr(index);
            }
            Expr::LoadOwn(param) => self.tagged(5, param.0),
            Expr::Unary(op, a) => self.operation(6, *op as u8, &[a]),
            Expr::Binary(op, a, b) => self.operation(7, *op as u8, &[a, b]),
            Expr::Compare(op, a, b) => self.operation(8, *op as u8, &[a, b]),
            Expr::And(a, b) => self.operands(9, &[a, b]),
            Expr::Or(a, b) => self.operands(10, &[a, b]),
            Expr::If(condition, yes, no) => self.operands(11, &[condition, yes, no]),
            Expr::Block(block, value) => {
                self.byte(12);
                self.block(block);
                self.expr(value);
            }
            Expr::Cast(ty, a) => self.operation(13, *ty as u8, &[a]),
            Expr::Bits(ty, a) => self.operation(14, *ty as u8, &[a]),
            Expr::MulAdd(a, b, c) => self.operands(15, &[a, b, c]),
            Expr::Element(array, index) => {
                self.tagged(16, array.0);
                self.expr(index);
            }
            Expr::Call(import, args) => {
                self.tagged(17, *import);
                self.count(args.len());
                args.iter().for_each(|e| self.expr(e));
            }
        }
    }

    fn constant(&mut self, value: Value) {
        self.byte(0);
        self.byte(value.ty() as u8);
        let place = self.placed(value.bits());
        self.0.constants.push(place);
    }

    fn tagged(&mut self, tag: u8, id: u16) {
        self.byte(tag);
        self.number(u64::from(id));
    }

    fn operation(&mut self, tag: u8, op: u8, operands: &[&Expr]) {
        self.byte(tag);
        self.byte(op);
        operands.iter().for_each(|e| self.expr(e));
    }

    fn operands(&mut self, tag: u8, operands: &[&Expr]) {
        self.byte(tag);
        operands.iter().for_each(|e| self.expr(e));
    }
}
