//! The text form, for people; `parse` reads it back.

use std::fmt::Write;

use crate::types::*;

/// Whether a name may hold it: anything but space and the text form's own signs.
pub(crate) fn is_name_char(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !"()[]{},:;=%@$.\"".contains(c)
}

/// Prints a module, one statement a line.
pub fn print(module: &Module) -> String {
    let mut out = Text {
        module,
        text: String::new(),
        depth: 0,
    };
    let params: Vec<_> = module
        .params
        .iter()
        .map(|p| format!("{}: {}", p.name, kind(p.kind)))
        .collect();
    out.line(&format!(
        "section {}({}) {{",
        module.name,
        params.join(", ")
    ));
    out.declarations();
    out.nested(&module.prelude);
    let index = out.local(module.index);
    out.depth += 1;
    out.line(&format!("parallel {index} {{"));
    out.nested(&module.body);
    out.line("}");
    out.depth -= 1;
    out.line("}");
    out.text
}

fn kind(kind: ParamKind) -> String {
    match kind {
        ParamKind::Scalar(ty) => name(ty),
        ParamKind::Input(elem) => format!("in {}", name(elem)),
        ParamKind::Own(elem) => format!("own {}", name(elem)),
        ParamKind::Accumulator(elem, op) => format!("acc {} {}", name(op), name(elem)),
    }
}

pub(crate) fn name(variant: impl std::fmt::Debug) -> String {
    format!("{variant:?}").to_lowercase()
}

struct Text<'a> {
    module: &'a Module,
    text: String,
    depth: usize,
}

impl Text<'_> {
    fn line(&mut self, line: &str) {
        let indent = "    ".repeat(self.depth);
        writeln!(self.text, "{indent}{line}").expect("writing to a string");
    }

    fn nested(&mut self, block: &[Stmt]) {
        self.depth += 1;
        block.iter().for_each(|s| self.stmt(s));
        self.depth -= 1;
    }

    fn declarations(&mut self) {
        let module = self.module;
        self.depth += 1;
        for (n, local) in module.locals.iter().enumerate() {
            let id = self.local(LocalId(n as u16));
            self.line(&format!("local {id}: {}", name(local.ty)));
        }
        for (n, array) in module.arrays.iter().enumerate() {
            let id = self.array(ArrayId(n as u16));
            self.line(&format!("array {id}: {}[{}]", name(array.ty), array.len));
        }
        self.depth -= 1;
    }

    fn local(&self, id: LocalId) -> String {
        let name = self
            .module
            .locals
            .get(usize::from(id.0))
            .map_or("?", |l| &l.name);
        format!("%{}.{name}", id.0)
    }

    fn array(&self, id: ArrayId) -> String {
        let array = self.module.arrays.get(usize::from(id.0));
        format!("@{}.{}", id.0, array.map_or("?", |a| &a.name))
    }

    fn param(&self, id: ParamId) -> String {
        let param = self.module.params.get(usize::from(id.0));
        format!("${}.{}", id.0, param.map_or("?", |p| &p.name))
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Set(id, value) => {
                self.line(&format!("{} = {}", self.local(*id), self.expr(value)))
            }
            Stmt::Store(id, value) => {
                self.line(&format!("store {}, {}", self.param(*id), self.expr(value)))
            }
            Stmt::If(condition, yes, no) => {
                self.line(&format!("if {} {{", self.expr(condition)));
                self.nested(yes);
                if !no.is_empty() {
                    self.line("} else {");
                    self.nested(no);
                }
                self.line("}");
            }
            Stmt::For {
                var,
                start,
                end,
                body,
            } => {
                let (var, start, end) = (self.local(*var), self.expr(start), self.expr(end));
                self.line(&format!("for {var} in {start}..{end} {{"));
                self.nested(body);
                self.line("}");
            }
            Stmt::Loop(body) => {
                self.line("loop {");
                self.nested(body);
                self.line("}");
            }
            Stmt::Break => self.line("break"),
            Stmt::Continue => self.line("continue"),
            Stmt::Fault => self.line("fault"),
            Stmt::Fill(id, value) => {
                self.line(&format!("fill {}, {}", self.array(*id), self.expr(value)))
            }
            Stmt::Accumulate(id, index, value) => {
                let (param, index, value) = (self.param(*id), self.expr(index), self.expr(value));
                self.line(&format!("accumulate {param}[{index}], {value}"));
            }
            Stmt::SetElement(id, index, value) => {
                let (array, index, value) = (self.array(*id), self.expr(index), self.expr(value));
                self.line(&format!("{array}[{index}] = {value}"));
            }
        }
    }

    fn expr(&self, e: &Expr) -> String {
        let call = |op: String, of: &[&Expr]| {
            let of: Vec<_> = of.iter().map(|e| self.expr(e)).collect();
            format!("{op}({})", of.join(", "))
        };
        match e {
            Expr::Const(value) => constant(*value),
            Expr::Local(id) => self.local(*id),
            Expr::Scalar(id) => self.param(*id),
            Expr::Len(id) => format!("len({})", self.param(*id)),
            Expr::Load(id, index) => format!("{}[{}]", self.param(*id), self.expr(index)),
            Expr::LoadOwn(id) => format!("{}[own]", self.param(*id)),
            Expr::Unary(op, a) => call(name(op), &[a]),
            Expr::Binary(op, a, b) => call(name(op), &[a, b]),
            Expr::Compare(op, a, b) => call(name(op), &[a, b]),
            Expr::And(a, b) => call("and_then".into(), &[a, b]),
            Expr::Or(a, b) => call("or_else".into(), &[a, b]),
            Expr::If(c, a, b) => call("choose".into(), &[c, a, b]),
            Expr::Bits(ty, a) => call(format!("bits_{}", name(ty)), &[a]),
            Expr::MulAdd(a, b, c) => call("muladd".into(), &[a, b, c]),
            Expr::Element(id, index) => format!("{}[{}]", self.array(*id), self.expr(index)),
            Expr::Call(import, args) => {
                call(format!("call_{import}"), &args.iter().collect::<Vec<_>>())
            }
            Expr::Cast(ty, a) => call(format!("to_{}", name(ty)), &[a]),
            Expr::Block(stmts, value) => {
                let mut inner = Text {
                    module: self.module,
                    text: String::new(),
                    depth: 0,
                };
                stmts.iter().for_each(|s| inner.stmt(s));
                let stmts: Vec<_> = inner.text.lines().map(str::trim).collect();
                format!("{{ {} yield {} }}", stmts.join(" "), self.expr(value))
            }
        }
    }
}

fn constant(value: Value) -> String {
    match value {
        Value::Bool(v) => v.to_string(),
        Value::I32(v) => format!("{v}i32"),
        Value::U32(v) => format!("{v}u32"),
        Value::I64(v) => format!("{v}i64"),
        Value::U64(v) => format!("{v}u64"),
        Value::F32(v) if v.is_finite() => format!("{v:?}f32"),
        Value::F64(v) if v.is_finite() => format!("{v:?}f64"),
        other => format!("{}(0x{:x})", name(other.ty()), other.bits()),
    }
}
