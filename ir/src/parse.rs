//! Text form to module: the inverse of `print`.

use crate::print::{is_name_char, name};
use crate::types::*;

/// Why text is no module, and on which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, found {found}")]
pub struct TextError {
    /// Line, from 1.
    pub line: usize,
    /// What could stand here.
    pub expected: String,
    /// What stands here.
    pub found: String,
}

type Result<T> = std::result::Result<T, TextError>;

/// Deepest nesting of statements and expressions.
const MAX_DEPTH: usize = 200;

/// Reads the text form. The module is not validated.
///
/// ```
/// use hotsled_ir::{parse, print};
/// let text = "section twice(x: in f32, y: own f32) {
///     local %0.i: u64
///     parallel %0.i {
///         store $1.y, add($0.x[%0.i], $0.x[%0.i])
///     }
/// }
/// ";
/// assert_eq!(print(&parse(text).unwrap()), text);
/// ```
///
/// # Errors
/// [`TextError`] names the line.
pub fn parse(text: &str) -> Result<Module> {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
        depth: 0,
    };
    let module = parser.module()?;
    match parser.peek() {
        "" => Ok(module),
        _ => parser.fail("the end"),
    }
}

/// Words and signs, each with its line.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word: usize = rest
                .chars()
                .take_while(|c| is_word(*c))
                .map(char::len_utf8)
                .sum();
            let len = if rest.starts_with("..") {
                2
            } else {
                word.max(first.len_utf8())
            };
            tokens.push((n + 1, rest[..len].to_owned()));
            rest = rest[len..].trim_start();
        }
    }
    tokens
}

/// A point belongs to numbers and to `%1.name`; `..` of a range is split off by its first point.
fn is_word(c: char) -> bool {
    is_name_char(c) || "%@$".contains(c)
}

struct Parser {
    tokens: Vec<(usize, String)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", |(_, token)| token)
    }

    fn fail<T>(&self, expected: &str) -> Result<T> {
        let last = self.tokens.len().saturating_sub(1);
        let line = self
            .tokens
            .get(self.at.min(last))
            .map_or(1, |(line, _)| *line);
        let found = match self.peek() {
            "" => "the end".to_owned(),
            token => format!("`{token}`"),
        };
        Err(TextError {
            line,
            expected: expected.to_owned(),
            found,
        })
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.tokens
            .get(self.at - 1)
            .map(|(_, token)| token.clone())
            .unwrap_or_default()
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = self.peek() == token;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.accept(token) {
            return Ok(());
        }
        self.fail(&format!("`{token}`"))
    }

    /// The value that `read` makes of the next token.
    fn read<T>(&mut self, what: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        match read(self.peek()) {
            Some(value) => {
                self.at += 1;
                Ok(value)
            }
            None => self.fail(what),
        }
    }

    fn word(&mut self) -> Result<String> {
        self.read("a name", |t| {
            (!t.is_empty() && t.chars().all(is_name_char)).then(|| t.to_owned())
        })
    }

    fn ty(&mut self) -> Result<Type> {
        self.read("a type", |t| named(t, &Type::ALL))
    }

    fn elem(&mut self) -> Result<Elem> {
        self.read("an element type", |t| named(t, &Elem::ALL))
    }

    /// `%0.name`, `@0.name` or `$0.name`.
    fn id(&mut self, sign: char, what: &str) -> Result<(u16, String)> {
        let id = self.read(what, |t| t.strip_prefix(sign)?.parse().ok())?;
        self.expect(".")?;
        Ok((id, self.word()?))
    }

    fn local(&mut self) -> Result<LocalId> {
        Ok(LocalId(self.id('%', "a local")?.0))
    }

    fn array(&mut self) -> Result<ArrayId> {
        Ok(ArrayId(self.id('@', "an array")?.0))
    }

    fn param(&mut self) -> Result<ParamId> {
        Ok(ParamId(self.id('$', "a parameter")?.0))
    }

    fn module(&mut self) -> Result<Module> {
        self.expect("section")?;
        let name = self.word()?;
        let params = self.params()?;
        self.expect("{")?;
        let (mut locals, mut arrays) = (Vec::new(), Vec::new());
        while self.peek() == "local" || self.peek() == "array" {
            self.declaration(&mut locals, &mut arrays)?;
        }
        let mut prelude = Vec::new();
        while !self.accept("parallel") {
            prelude.push(self.stmt()?);
        }
        let index = self.local()?;
        let body = self.block()?;
        self.expect("}")?;
        Ok(Module {
            name,
            params,
            locals,
            arrays,
            prelude,
            index,
            body,
        })
    }

    fn params(&mut self) -> Result<Vec<Param>> {
        self.expect("(")?;
        let mut params = Vec::new();
        while !self.accept(")") {
            if !params.is_empty() {
                self.expect(",")?;
            }
            let name = self.word()?;
            self.expect(":")?;
            let kind = match self.peek() {
                "in" | "own" => {
                    let own = self.next() == "own";
                    let elem = self.elem()?;
                    if own {
                        ParamKind::Own(elem)
                    } else {
                        ParamKind::Input(elem)
                    }
                }
                "acc" => {
                    self.at += 1;
                    let op = self.read("an operation", |t| named(t, &AccOp::ALL))?;
                    ParamKind::Accumulator(self.elem()?, op)
                }
                _ => ParamKind::Scalar(self.ty()?),
            };
            params.push(Param { name, kind });
        }
        Ok(params)
    }

    /// Numbers are in order, as they are printed.
    fn declaration(&mut self, locals: &mut Vec<Local>, arrays: &mut Vec<Array>) -> Result<()> {
        let is_array = self.next() == "array";
        let (sign, known) = if is_array {
            ('@', arrays.len())
        } else {
            ('%', locals.len())
        };
        if !self.peek().starts_with(&format!("{sign}{known}")) {
            return self.fail(&format!("number {known}"));
        }
        let (_, name) = self.id(sign, "a number")?;
        self.expect(":")?;
        let ty = self.ty()?;
        if is_array {
            self.expect("[")?;
            let len = self.read("a length", |t| t.parse().ok())?;
            self.expect("]")?;
            arrays.push(Array { name, ty, len });
        } else {
            locals.push(Local { name, ty });
        }
        Ok(())
    }

    fn block(&mut self) -> Result<Vec<Stmt>> {
        self.expect("{")?;
        let mut stmts = Vec::new();
        while !self.accept("}") {
            stmts.push(self.stmt()?);
        }
        Ok(stmts)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("less nesting");
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn stmt(&mut self) -> Result<Stmt> {
        self.deeper(Self::stmt_here)
    }

    fn stmt_here(&mut self) -> Result<Stmt> {
        if self.peek().starts_with('%') {
            let local = self.local()?;
            self.expect("=")?;
            return Ok(Stmt::Set(local, self.expr()?));
        }
        if self.peek().starts_with('@') {
            let array = self.array()?;
            let index = self.index()?;
            self.expect("=")?;
            return Ok(Stmt::SetElement(array, index, self.expr()?));
        }
        let keyword = self.peek().to_owned();
        self.at += 1;
        Ok(match keyword.as_str() {
            "store" => {
                let param = self.param()?;
                self.expect(",")?;
                Stmt::Store(param, self.expr()?)
            }
            "accumulate" => {
                let (param, index) = (self.param()?, self.index()?);
                self.expect(",")?;
                Stmt::Accumulate(param, index, self.expr()?)
            }
            "fill" => {
                let array = self.array()?;
                self.expect(",")?;
                Stmt::Fill(array, self.expr()?)
            }
            "if" => {
                let (condition, yes) = (self.expr()?, self.block()?);
                let no = if self.accept("else") {
                    self.block()?
                } else {
                    Vec::new()
                };
                Stmt::If(condition, yes, no)
            }
            "for" => {
                let var = self.local()?;
                self.expect("in")?;
                let start = self.expr()?;
                self.expect("..")?;
                Stmt::For {
                    var,
                    start,
                    end: self.expr()?,
                    body: self.block()?,
                }
            }
            "loop" => Stmt::Loop(self.block()?),
            "break" => Stmt::Break,
            "continue" => Stmt::Continue,
            "fault" => Stmt::Fault,
            _ => {
                self.at -= 1;
                return self.fail("a statement");
            }
        })
    }

    fn index(&mut self) -> Result<Expr> {
        self.expect("[")?;
        let index = self.expr()?;
        self.expect("]")?;
        Ok(index)
    }

    fn expr(&mut self) -> Result<Expr> {
        self.deeper(Self::expr_here)
    }

    fn expr_here(&mut self) -> Result<Expr> {
        match self.peek().chars().next() {
            Some('%') => self.local().map(Expr::Local),
            Some('@') => Ok(Expr::Element(self.array()?, Box::new(self.index()?))),
            Some('$') => self.of_param(),
            Some('{') => self.value_block(),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            _ => self.operation(),
        }
    }

    fn of_param(&mut self) -> Result<Expr> {
        let param = self.param()?;
        if self.peek() != "[" {
            return Ok(Expr::Scalar(param));
        }
        if self.tokens.get(self.at + 1).is_some_and(|t| t.1 == "own") {
            self.at += 2;
            self.expect("]")?;
            return Ok(Expr::LoadOwn(param));
        }
        Ok(Expr::Load(param, Box::new(self.index()?)))
    }

    fn value_block(&mut self) -> Result<Expr> {
        self.expect("{")?;
        let mut stmts = Vec::new();
        while !self.accept("yield") {
            stmts.push(self.stmt()?);
        }
        let value = self.expr()?;
        self.expect("}")?;
        Ok(Expr::Block(stmts, Box::new(value)))
    }

    /// `7u32`, `-1.5f64`, `1e-7f32`.
    fn number(&mut self) -> Result<Expr> {
        let mut text = self.next();
        if self.accept(".") {
            text = format!("{text}.{}", self.next());
        }
        let split = text
            .len()
            .checked_sub(3)
            .filter(|n| text.is_char_boundary(*n));
        let value = split.and_then(|n| number(&text[..n], named(&text[n..], &Type::ALL)?));
        match value {
            Some(value) => Ok(Expr::Const(value)),
            None => {
                self.at -= 1;
                self.fail("a number with its type")
            }
        }
    }

    fn operation(&mut self) -> Result<Expr> {
        let op = self.word()?;
        let constant = match op.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        if let Some(value) = constant {
            return Ok(Expr::Const(Value::Bool(value)));
        }
        self.expect("(")?;
        if let Some(ty) = named(&op, &Type::ALL) {
            return self.bits(ty);
        }
        if op == "len" {
            let param = self.param()?;
            self.expect(")")?;
            return Ok(Expr::Len(param));
        }
        let mut args = Vec::new();
        while !self.accept(")") {
            if !args.is_empty() {
                self.expect(",")?;
            }
            args.push(self.expr()?);
        }
        match of_args(&op, args) {
            Some(expr) => Ok(expr),
            None => {
                self.at -= 1;
                self.fail(&format!(
                    "the operands of an operation (`{op}` is none of these)"
                ))
            }
        }
    }

    /// `f32(0x7fc00000)`.
    fn bits(&mut self, ty: Type) -> Result<Expr> {
        let bits = self.read("bits", |t| {
            u64::from_str_radix(t.strip_prefix("0x")?, 16).ok()
        })?;
        self.expect(")")?;
        let value = match ty {
            Type::F32 => u32::try_from(bits)
                .ok()
                .map(|b| Value::F32(f32::from_bits(b))),
            Type::F64 => Some(Value::F64(f64::from_bits(bits))),
            _ => None,
        };
        match value {
            Some(value) => Ok(Expr::Const(value)),
            None => self.fail("bits of a float"),
        }
    }
}

fn number(digits: &str, ty: Type) -> Option<Value> {
    Some(match ty {
        Type::Bool => return None,
        Type::I32 => Value::I32(digits.parse().ok()?),
        Type::U32 => Value::U32(digits.parse().ok()?),
        Type::I64 => Value::I64(digits.parse().ok()?),
        Type::U64 => Value::U64(digits.parse().ok()?),
        Type::F32 => Value::F32(digits.parse().ok()?),
        Type::F64 => Value::F64(digits.parse().ok()?),
    })
}

/// An operation by its name and operands.
fn of_args(op: &str, args: Vec<Expr>) -> Option<Expr> {
    let mut args: Vec<_> = args.into_iter().map(Box::new).collect();
    let (third, count) = (args.len() == 3, args.len());
    let c = third.then(|| args.pop()).flatten();
    let b = (count >= 2).then(|| args.pop()).flatten();
    let a = args.pop()?;
    match (b, c, count) {
        (None, None, 1) => one(op, a),
        (Some(b), None, 2) => two(op, a, b),
        (Some(b), Some(c), 3) if op == "choose" => Some(Expr::If(a, b, c)),
        (Some(b), Some(c), 3) if op == "muladd" => Some(Expr::MulAdd(a, b, c)),
        _ => None,
    }
}

fn one(op: &str, a: Box<Expr>) -> Option<Expr> {
    if let Some(ty) = op.strip_prefix("to_") {
        return Some(Expr::Cast(named(ty, &Type::ALL)?, a));
    }
    if let Some(ty) = op.strip_prefix("bits_") {
        return Some(Expr::Bits(named(ty, &Type::ALL)?, a));
    }
    Some(Expr::Unary(named(op, &UnOp::ALL)?, a))
}

fn two(op: &str, a: Box<Expr>, b: Box<Expr>) -> Option<Expr> {
    match op {
        "and_then" => return Some(Expr::And(a, b)),
        "or_else" => return Some(Expr::Or(a, b)),
        _ => {}
    }
    if let Some(op) = named(op, &CmpOp::ALL) {
        return Some(Expr::Compare(op, a, b));
    }
    Some(Expr::Binary(named(op, &BinOp::ALL)?, a, b))
}

/// The variant that prints as `text`.
fn named<T: Copy + std::fmt::Debug>(text: &str, all: &[T]) -> Option<T> {
    all.iter().copied().find(|v| name(v) == text)
}
