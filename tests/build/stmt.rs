//! Random statements.

use crate::section::Body;
use crate::ty::Ty;

impl Body {
    /// Some statements, one after the other; what they declare ends with them.
    pub fn stmts(&mut self, count: u64, depth: u32) -> String {
        let mark = self.mark();
        let lines = (0..count).map(|_| self.stmt(depth)).collect();
        self.forget_since(mark);
        lines
    }

    fn stmt(&mut self, depth: u32) -> String {
        match self.dice.below(14) {
            0..=3 => self.declaration(depth),
            4..=5 => self.assignment(depth),
            6..=7 => self.store(depth),
            8 => self.pair(depth),
            9 => self.array(depth),
            10 => self.skip(depth),
            _ if depth == 0 => self.assignment(depth),
            11 => self.decision(depth - 1),
            12 => self.counted(depth - 1),
            _ => self.repeated(depth - 1),
        }
    }

    fn declaration(&mut self, depth: u32) -> String {
        let ty = match self.dice.once_in(8) {
            true => Ty::Bool,
            false => self.number(|_| true),
        };
        let value = self.expr(ty, depth + 1);
        let name = self.fresh();
        self.declare(&name, ty, true);
        format!("let mut {name}: {} = {value};\n", ty.name())
    }

    fn assignment(&mut self, depth: u32) -> String {
        let ty = self.number(|_| true);
        let Some(name) = self.mutable(ty) else {
            return self.declaration(depth);
        };
        let operators: &[&str] = match ty.is_float() {
            true => &["=", "+=", "-=", "*="],
            false => &["=", "+=", "-=", "*=", "^=", "|=", "&="],
        };
        let operator = self.dice.pick(operators);
        format!("{name} {operator} {};\n", self.expr(ty, depth + 1))
    }

    fn store(&mut self, depth: u32) -> String {
        let (own, ty) = self.own();
        let operator = self.dice.pick(&["=", "=", "+=", "*="]);
        format!("{own}[i] {operator} {};\n", self.expr(ty, depth + 1))
    }

    /// Two names at once, from a tuple.
    fn pair(&mut self, depth: u32) -> String {
        let types = [self.number(|_| true), self.number(|_| true)];
        let [a, b] = types.map(|ty| self.expr(ty, depth));
        let names = [self.fresh(), self.fresh()];
        for (name, ty) in names.iter().zip(types) {
            self.declare(name, ty, false);
        }
        let [x, y] = types.map(Ty::name);
        format!(
            "let ({}, {}): ({x}, {y}) = ({a}, {b});\n",
            names[0], names[1]
        )
    }

    /// An array, an element of it set, and one read.
    fn array(&mut self, depth: u32) -> String {
        let (ty, len) = (self.number(|_| true), 1u64 << self.dice.below(4));
        let written = match self.dice.below(3) {
            0 => format!("data::EIGHT / {}", 8 / len),
            1 if len == 8 => "data::EIGHT".into(),
            _ => len.to_string(),
        };
        let [first, set] = [(); 2].map(|()| self.expr(ty, depth));
        let [at, from] = [(); 2].map(|()| self.expr(Ty::Usize, depth));
        let (array, read) = (self.fresh(), self.fresh());
        self.declare(&read, ty, false);
        let name = ty.name();
        format!(
            "let mut {array}: [{name}; {len}] = [{first}; {written}];\n\
             {array}[({at}) % {len}usize] = {set};\n\
             let {read}: {name} = {array}[({from}) % {len}usize];\n"
        )
    }

    /// Some indices end here.
    fn skip(&mut self, depth: u32) -> String {
        let ty = self.number(Ty::is_integer);
        let (seldom, suffix) = (self.expr(ty, depth), ty.name());
        format!("if ({seldom}) % 7{suffix} == 3{suffix} {{ continue 'all; }}\n")
    }

    fn decision(&mut self, depth: u32) -> String {
        let condition = self.expr(Ty::Bool, depth + 1);
        let (yes, no) = (self.stmts(2, depth), self.stmts(1, depth));
        match self.dice.once_in(2) {
            true => format!("if {condition} {{\n{yes}}}\n"),
            false => format!("if {condition} {{\n{yes}}} else {{\n{no}}}\n"),
        }
    }

    /// A loop over a range, of a few turns.
    fn counted(&mut self, depth: u32) -> String {
        let ty = *self
            .dice
            .pick(&[Ty::I32, Ty::U32, Ty::I64, Ty::U64, Ty::Usize]);
        let end = self.expr(ty, depth);
        let name = self.fresh();
        let mark = self.mark();
        self.declare(&name, ty, false);
        let body = self.stmts(2, depth);
        self.forget_since(mark);
        let suffix = ty.name();
        let range = format!("(0{suffix}..({end}) & 7{suffix})");
        let way = self
            .dice
            .pick(&["", ".rev()", ".step_by(2)", ".rev().step_by(3)"]);
        format!("for {name} in {range}{way} {{\n{body}}}\n")
    }

    /// A loop that ends by a decision, and after a few turns in any case.
    fn repeated(&mut self, depth: u32) -> String {
        let condition = self.expr(Ty::Bool, depth + 1);
        let turns = self.fresh();
        let body = self.stmts(2, depth);
        let limit = self.dice.below(9);
        match self.dice.once_in(2) {
            true => format!(
                "let mut {turns}: u32 = 0u32;\n\
                 while {turns} < {limit}u32 && {condition} {{\n{turns} += 1u32;\n{body}}}\n"
            ),
            false => format!(
                "let mut {turns}: u32 = 0u32;\n\
                 loop {{\n{turns} += 1u32;\nif {turns} > {limit}u32 || {condition} {{ break; }}\n{body}}}\n"
            ),
        }
    }
}
