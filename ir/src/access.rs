//! How a module reaches its parameters: what must travel to a device, and what need not.

use crate::types::*;
use crate::validate::Valid;
use crate::walk::{self, Visit};

/// What a module does with one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A scalar.
    Scalar,
    /// An input slice and which part of it a chunk can reach.
    Input(Reach),
    /// An accumulator: all of it, from identities.
    Accumulator,
    /// An own slice.
    Own {
        /// Some index reads its old element.
        read: bool,
        /// Every index certainly stores its element, so that old ones need not travel.
        whole: bool,
    },
}

/// Elements of an input that indices `base..end` can load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// None.
    Unused,
    /// `base - before .. end + after`.
    Window {
        /// Elements before the first index.
        before: u64,
        /// Elements after the last index.
        after: u64,
    },
    /// Any.
    Whole,
}

/// One entry per parameter, in order.
pub fn access(module: &Valid) -> Vec<Access> {
    let of = |(id, param): (usize, &Param)| match param.kind {
        ParamKind::Scalar(_) => Access::Scalar,
        ParamKind::Input(_) => Access::Input(reach(module, ParamId(id as u16))),
        ParamKind::Own(_) => own(module, ParamId(id as u16)),
        ParamKind::Accumulator(..) => Access::Accumulator,
    };
    module.params.iter().enumerate().map(of).collect()
}

fn reach(module: &Valid, param: ParamId) -> Reach {
    let mut loads = Loads {
        param,
        index: module.index,
        reach: Reach::Unused,
    };
    walk::block(&mut loads, &module.prelude);
    if loads.reach != Reach::Unused {
        return Reach::Whole; // the prelude runs for every chunk and has no index
    }
    walk::block(&mut loads, &module.body);
    loads.reach
}

struct Loads {
    param: ParamId,
    index: LocalId,
    reach: Reach,
}

impl Visit for Loads {
    fn expr(&mut self, expr: &Expr) {
        if let Expr::Load(param, index) = expr
            && *param == self.param
        {
            self.reach = join(self.reach, offset(index, self.index));
        }
    }
}

/// The window of a load at `index`, if it is the loop index plus or minus a constant.
fn offset(expr: &Expr, index: LocalId) -> Reach {
    let window = |before, after| Reach::Window { before, after };
    let is_index = |e: &Expr| *e == Expr::Local(index);
    // A larger one may be a negative number: the sum wraps, to before the index.
    let is_near = |k: u64| k <= u64::from(u32::MAX);
    match expr {
        e if is_index(e) => window(0, 0),
        Expr::Binary(op, a, b) => match (op, &**a, &**b) {
            (BinOp::Add, i, Expr::Const(Value::U64(k)))
            | (BinOp::Add, Expr::Const(Value::U64(k)), i)
                if is_index(i) && is_near(*k) =>
            {
                window(0, *k)
            }
            (BinOp::Sub, i, Expr::Const(Value::U64(k))) if is_index(i) && is_near(*k) => {
                window(*k, 0)
            }
            _ => Reach::Whole,
        },
        _ => Reach::Whole,
    }
}

fn join(a: Reach, b: Reach) -> Reach {
    match (a, b) {
        (Reach::Unused, other) | (other, Reach::Unused) => other,
        (
            Reach::Window {
                before: b1,
                after: a1,
            },
            Reach::Window {
                before: b2,
                after: a2,
            },
        ) => Reach::Window {
            before: b1.max(b2),
            after: a1.max(a2),
        },
        _ => Reach::Whole,
    }
}

fn own(module: &Valid, param: ParamId) -> Access {
    let mut uses = OwnUses { param, read: false };
    walk::block(&mut uses, &module.body);
    Access::Own {
        read: uses.read,
        whole: stores(&module.body, param) == Stores::Always,
    }
}

struct OwnUses {
    param: ParamId,
    read: bool,
}

impl Visit for OwnUses {
    fn expr(&mut self, expr: &Expr) {
        self.read |= *expr == Expr::LoadOwn(self.param);
    }
}

/// Whether the end of a block is reached only after a store.
#[derive(Clone, Copy, PartialEq)]
enum Stores {
    Always,
    Maybe,
}

/// Loops count as "maybe", and a store after a `break` or `continue` could be jumped over only inside
/// a loop, so that top-level statements and both sides of an `if` are all there is to look at.
fn stores(block: &[Stmt], param: ParamId) -> Stores {
    let always = block.iter().any(|stmt| match stmt {
        Stmt::Store(p, _) => *p == param,
        Stmt::Fault => true, // nothing of a faulted chunk is committed
        Stmt::If(_, yes, no) => {
            stores(yes, param) == Stores::Always && stores(no, param) == Stores::Always
        }
        _ => false,
    });
    if always {
        Stores::Always
    } else {
        Stores::Maybe
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{testing::*, validate};

    #[test]
    fn windows_come_from_constant_offsets() {
        let i = || Expr::Local(LocalId(0));
        let at = |op, k| Expr::Binary(op, Box::new(i()), Box::new(Expr::Const(Value::U64(k))));
        let sum = add(
            load(0, at(BinOp::Sub, 2)),
            add(load(0, i()), load(0, at(BinOp::Add, 3))),
        );
        let module = validate(module(vec![Stmt::Store(ParamId(1), sum)])).unwrap();
        let own = Access::Own {
            read: false,
            whole: true,
        };
        assert_eq!(
            access(&module),
            [
                Access::Input(Reach::Window {
                    before: 2,
                    after: 3
                }),
                own
            ]
        );
    }

    #[test]
    fn a_constant_that_may_wrap_reaches_the_whole_slice() {
        for (op, k) in [(BinOp::Add, u64::MAX), (BinOp::Sub, 1 << 63)] {
            let index = Box::new(Expr::Local(LocalId(0)));
            let at = Expr::Binary(op, index, Box::new(Expr::Const(Value::U64(k))));
            let store = Stmt::Store(ParamId(1), load(0, at));
            let module = validate(module(vec![store])).unwrap();
            assert_eq!(access(&module)[0], Access::Input(Reach::Whole));
        }
    }

    #[test]
    fn any_other_index_reaches_the_whole_slice() {
        let twice = Expr::Binary(
            BinOp::Mul,
            Box::new(Expr::Local(LocalId(0))),
            Box::new(Expr::Const(Value::U64(2))),
        );
        let module = validate(module(vec![Stmt::Store(ParamId(1), load(0, twice))])).unwrap();
        assert_eq!(access(&module)[0], Access::Input(Reach::Whole));
    }

    #[test]
    fn conditional_stores_keep_old_elements() {
        let yes = Expr::Const(Value::Bool(true));
        let store = || vec![Stmt::Store(ParamId(1), Expr::Const(Value::F32(1.0)))];
        let one = validate(module(vec![Stmt::If(yes.clone(), store(), vec![])])).unwrap();
        assert_eq!(
            access(&one)[1],
            Access::Own {
                read: false,
                whole: false
            }
        );
        let both = validate(module(vec![Stmt::If(yes, store(), store())])).unwrap();
        assert_eq!(
            access(&both)[1],
            Access::Own {
                read: false,
                whole: true
            }
        );
        let read = vec![Stmt::Store(ParamId(1), Expr::LoadOwn(ParamId(1)))];
        assert_eq!(
            access(&validate(module(read)).unwrap())[1],
            Access::Own {
                read: true,
                whole: true
            }
        );
    }
}
