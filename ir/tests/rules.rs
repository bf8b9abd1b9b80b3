//! Each rule of the validator refuses what breaks it, and bytes never make the reader panic.

use hotsled_ir::*;
use proptest::prelude::*;

fn module(prelude: Vec<Stmt>, body: Vec<Stmt>) -> Module {
    let param = |name: &str, kind| Param {
        name: name.into(),
        kind,
    };
    let local = |name: &str, ty| Local {
        name: name.into(),
        ty,
    };
    Module {
        name: "rules".into(),
        params: vec![
            param("x", ParamKind::Input(Elem::F32)),
            param("y", ParamKind::Own(Elem::F32)),
            param("s", ParamKind::Scalar(Type::F32)),
            param("h", ParamKind::Accumulator(Elem::U32, AccOp::Max)),
        ],
        locals: vec![
            local("i", Type::U64),
            local("a", Type::F32),
            local("k", Type::U64),
            local("b", Type::Bool),
        ],
        arrays: vec![Array {
            name: "t".into(),
            ty: Type::F32,
            len: 4,
        }],
        prelude,
        index: LocalId(0),
        body,
    }
}

const I: LocalId = LocalId(0);
const A: LocalId = LocalId(1);
const K: LocalId = LocalId(2);
const T: ArrayId = ArrayId(0);
const X: ParamId = ParamId(0);
const Y: ParamId = ParamId(1);
const S: ParamId = ParamId(2);
const H: ParamId = ParamId(3);

fn f(v: f32) -> Expr {
    Expr::Const(Value::F32(v))
}

fn u(v: u64) -> Expr {
    Expr::Const(Value::U64(v))
}

fn yes() -> Expr {
    Expr::Const(Value::Bool(true))
}

fn refused(body: Vec<Stmt>) -> Invalid {
    validate(module(vec![], body)).expect_err("a broken rule")
}

#[test]
fn types_must_fit() {
    assert!(matches!(
        refused(vec![Stmt::Set(A, u(1))]),
        Invalid::Type { .. }
    ));
    assert!(matches!(
        refused(vec![Stmt::Store(Y, u(1))]),
        Invalid::Type { .. }
    ));
    assert!(matches!(
        refused(vec![Stmt::If(u(1), vec![], vec![])]),
        Invalid::Type { .. }
    ));
    let shift = Expr::Binary(BinOp::Shl, Box::new(u(1)), Box::new(u(1)));
    assert!(matches!(
        refused(vec![Stmt::Set(K, shift)]),
        Invalid::Type { .. }
    ));
    let mixed = Expr::Binary(BinOp::Add, Box::new(f(1.0)), Box::new(u(1)));
    assert!(matches!(
        refused(vec![Stmt::Set(A, mixed)]),
        Invalid::Type { .. }
    ));
}

#[test]
fn operators_must_exist() {
    let not = Expr::Unary(UnOp::Not, Box::new(f(1.0)));
    assert!(matches!(
        refused(vec![Stmt::Set(A, not)]),
        Invalid::Operator { .. }
    ));
    let sqrt = Expr::Unary(UnOp::Sqrt, Box::new(u(1)));
    assert!(matches!(
        refused(vec![Stmt::Set(K, sqrt)]),
        Invalid::Operator { .. }
    ));
    let to_bool = Expr::Cast(Type::Bool, Box::new(u(1)));
    assert!(matches!(
        refused(vec![Stmt::Set(LocalId(3), to_bool)]),
        Invalid::Operator { .. }
    ));
    let bool_to_float = Expr::Cast(Type::F32, Box::new(yes()));
    assert!(matches!(
        refused(vec![Stmt::Set(A, bool_to_float)]),
        Invalid::Operator { .. }
    ));
}

#[test]
fn names_must_exist_and_be_of_their_kind() {
    assert_eq!(
        refused(vec![Stmt::Set(LocalId(9), f(1.0))]),
        Invalid::Local(9)
    );
    for bad in [
        Stmt::Store(X, f(1.0)),
        Stmt::Store(ParamId(7), f(1.0)),
        Stmt::Set(A, Expr::LoadOwn(X)),
    ] {
        assert!(matches!(refused(vec![bad]), Invalid::Param { .. }));
    }
    for bad in [
        Expr::Load(Y, Box::new(u(0))),
        Expr::Scalar(X),
        Expr::Cast(Type::F32, Box::new(Expr::Len(S))),
    ] {
        assert!(matches!(
            refused(vec![Stmt::Set(A, bad)]),
            Invalid::Param { .. }
        ));
    }
}

#[test]
fn locals_are_assigned_before_they_are_read() {
    let read = || Stmt::Store(Y, Expr::Local(A));
    let set = || Stmt::Set(A, f(1.0));
    assert!(matches!(
        refused(vec![read()]),
        Invalid::Unassigned { id: 1, .. }
    ));
    assert!(matches!(
        refused(vec![Stmt::If(yes(), vec![set()], vec![]), read()]),
        Invalid::Unassigned { .. }
    ));
    let for_set = Stmt::For {
        var: K,
        start: u(0),
        end: u(3),
        body: vec![set()],
    };
    assert!(matches!(
        refused(vec![for_set, read()]),
        Invalid::Unassigned { .. }
    ));
    let early = Stmt::Loop(vec![
        Stmt::If(yes(), vec![Stmt::Break], vec![]),
        set(),
        Stmt::Break,
    ]);
    assert!(matches!(
        refused(vec![early, read()]),
        Invalid::Unassigned { .. }
    ));
    let both = Stmt::If(yes(), vec![set()], vec![Stmt::Fault]);
    assert!(validate(module(vec![], vec![both, read()])).is_ok());
    let late = Stmt::Loop(vec![set(), Stmt::If(yes(), vec![Stmt::Break], vec![])]);
    assert!(validate(module(vec![], vec![late, read()])).is_ok());
    let index_in_prelude = module(vec![Stmt::Set(K, Expr::Local(I))], vec![]);
    assert!(matches!(
        validate(index_in_prelude),
        Err(Invalid::Unassigned { .. })
    ));
}

#[test]
fn loop_variables_belong_to_their_loops() {
    assert!(matches!(
        refused(vec![Stmt::Set(I, u(0))]),
        Invalid::LoopVariable { id: 0, .. }
    ));
    let inner = Stmt::For {
        var: K,
        start: u(0),
        end: u(3),
        body: vec![Stmt::Set(K, u(7))],
    };
    assert!(matches!(
        refused(vec![inner]),
        Invalid::LoopVariable { id: 2, .. }
    ));
}

#[test]
fn statements_stand_where_they_may() {
    assert!(matches!(
        refused(vec![Stmt::Break]),
        Invalid::Misplaced { .. }
    ));
    let stored = Expr::Block(vec![Stmt::Store(Y, f(1.0))], Box::new(f(1.0)));
    assert!(matches!(
        refused(vec![Stmt::Set(A, stored)]),
        Invalid::Misplaced { .. }
    ));
    let leaves = Expr::Block(vec![Stmt::Break], Box::new(f(1.0)));
    assert!(matches!(
        refused(vec![Stmt::Loop(vec![Stmt::Set(A, leaves)])]),
        Invalid::Misplaced { .. }
    ));
    let prelude = module(vec![Stmt::Store(Y, f(1.0))], vec![]);
    assert!(matches!(validate(prelude), Err(Invalid::Misplaced { .. })));
    let own = module(vec![Stmt::Set(A, Expr::LoadOwn(Y))], vec![]);
    assert!(matches!(validate(own), Err(Invalid::Misplaced { .. })));
}

#[test]
fn the_index_is_a_u64() {
    let mut bad = module(vec![], vec![]);
    bad.index = A;
    assert_eq!(validate(bad), Err(Invalid::Index(Type::F32)));
}

fn sample() -> Module {
    let body = vec![
        Stmt::Accumulate(H, Expr::Local(I), Expr::Const(Value::U32(9))),
        Stmt::Fill(T, f(1.0)),
        Stmt::SetElement(T, u(2), f(f32::NEG_INFINITY)),
        Stmt::Set(
            A,
            Expr::MulAdd(
                Box::new(Expr::Element(T, Box::new(u(1)))),
                Box::new(f(1e-7)),
                Box::new(Expr::Bits(
                    Type::F32,
                    Box::new(Expr::Const(Value::U32(0x4000_0000))),
                )),
            ),
        ),
        Stmt::Set(A, Expr::Load(X, Box::new(Expr::Local(I)))),
        Stmt::For {
            var: K,
            start: u(0),
            end: Expr::Len(X),
            body: vec![Stmt::If(
                Expr::And(
                    Box::new(yes()),
                    Box::new(Expr::Compare(
                        CmpOp::Lt,
                        Box::new(Expr::Local(A)),
                        Box::new(f(-0.0)),
                    )),
                ),
                vec![Stmt::Continue],
                vec![Stmt::Set(
                    A,
                    Expr::Binary(
                        BinOp::Mul,
                        Box::new(Expr::Local(A)),
                        Box::new(Expr::Scalar(S)),
                    ),
                )],
            )],
        },
        Stmt::Store(
            Y,
            Expr::Block(
                vec![Stmt::Set(LocalId(3), yes())],
                Box::new(Expr::If(
                    Box::new(Expr::Local(LocalId(3))),
                    Box::new(Expr::Local(A)),
                    Box::new(f(f32::NAN)),
                )),
            ),
        ),
    ];
    module(vec![], body)
}

#[test]
fn bytes_round_trip() {
    let bytes = encode(&sample());
    assert_eq!(decode(&bytes).unwrap(), sample());
    assert!(read(&bytes).is_ok());
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn text_round_trips() {
    let text = print(&sample());
    assert_eq!(parse(&text).unwrap(), sample(), "{text}");
    let lines: Vec<_> = text.lines().collect();
    for cut in 0..lines.len() {
        assert!(parse(&lines[..cut].join("\n")).is_err(), "cut at {cut}");
    }
    let misspelt = text.replace("muladd", "mulad");
    assert_eq!(parse(&misspelt).unwrap_err().line, 11, "{misspelt}");
}

#[test]
fn arrays_are_filled_before_they_are_used() {
    let read = || Stmt::Set(A, Expr::Element(T, Box::new(u(0))));
    let fill = || Stmt::Fill(T, f(1.0));
    assert!(validate(module(vec![], vec![fill(), read()])).is_ok());
    let sometimes = Stmt::If(yes(), vec![fill()], vec![]);
    for body in [
        vec![read()],
        vec![sometimes, read()],
        vec![Stmt::SetElement(T, u(0), f(1.0))],
    ] {
        assert!(matches!(refused(body), Invalid::Unfilled { id: 0, .. }));
    }
    assert_eq!(
        refused(vec![Stmt::Fill(ArrayId(1), f(1.0))]),
        Invalid::Array(1)
    );
    let mut empty = module(vec![], vec![]);
    empty.arrays[0].len = 0;
    assert!(matches!(validate(empty), Err(Invalid::ArraySize { .. })));
}

#[test]
fn accumulators_are_only_combined_with() {
    let one = || Expr::Const(Value::U32(1));
    let combine = || Stmt::Accumulate(H, u(0), one());
    assert!(validate(module(vec![], vec![combine()])).is_ok());
    let prelude = validate(module(vec![combine()], vec![]));
    assert!(matches!(prelude, Err(Invalid::Misplaced { .. })));
    let inside = Expr::Block(vec![combine()], Box::new(f(1.0)));
    assert!(matches!(
        refused(vec![Stmt::Set(A, inside)]),
        Invalid::Misplaced { .. }
    ));
    let read = Stmt::Set(
        LocalId(3),
        Expr::Compare(
            CmpOp::Eq,
            Box::new(Expr::Load(H, Box::new(u(0)))),
            Box::new(one()),
        ),
    );
    assert!(matches!(refused(vec![read]), Invalid::Param { id: 3, .. }));
    assert!(matches!(
        refused(vec![Stmt::Accumulate(Y, u(0), one())]),
        Invalid::Param { id: 1, .. }
    ));
    assert!(matches!(
        refused(vec![Stmt::Accumulate(H, u(0), f(1.0))]),
        Invalid::Type { .. }
    ));
    let mut float = module(vec![], vec![]);
    float.params[3].kind = ParamKind::Accumulator(Elem::F32, AccOp::Add);
    assert!(matches!(validate(float), Err(Invalid::Operator { .. })));
}

#[test]
fn identities_change_nothing() {
    for elem in [Elem::I32, Elem::U32, Elem::I64, Elem::U64] {
        for op in AccOp::ALL {
            for bits in [0u64, 1, 0x7fff_ffff, 0x8000_0000, u64::MAX, 1 << 63] {
                let of = |bits: u64| match elem {
                    Elem::I32 => Value::I32(bits as i32),
                    Elem::U32 => Value::U32(bits as u32),
                    Elem::I64 => Value::I64(bits as i64),
                    _ => Value::U64(bits),
                };
                let combined = interp::binary(op.binary(), of(bits), of(op.identity(elem)));
                assert_eq!(combined, Some(of(bits)), "{op:?} {elem:?}");
            }
        }
    }
}

#[test]
fn reinterpretation_keeps_the_width() {
    let bits = |to, from| refused(vec![Stmt::Set(K, Expr::Bits(to, Box::new(from)))]);
    assert!(matches!(bits(Type::U64, f(1.0)), Invalid::Operator { .. }));
    assert!(matches!(bits(Type::U64, u(1)), Invalid::Operator { .. }));
    assert_eq!(
        refused(vec![Stmt::Set(A, Expr::Call(3, vec![]))]),
        Invalid::Call(3)
    );
}

#[test]
fn names_are_words() {
    let mut bad = module(vec![], vec![]);
    bad.locals[1].name = "a b".into();
    assert_eq!(validate(bad), Err(Invalid::Name("a b".into())));
}

#[test]
fn nesting_is_limited() {
    let mut e = yes();
    for _ in 0..300 {
        e = Expr::Unary(UnOp::Not, Box::new(e));
    }
    let deep = module(vec![], vec![Stmt::Set(LocalId(3), e)]);
    assert!(matches!(
        decode(&encode(&deep)),
        Err(DecodeError::Depth { .. })
    ));
}

proptest! {
    #[test]
    fn damaged_bytes_never_panic(at in 0usize..400, byte in any::<u8>(), more in any::<u8>()) {
        let mut bytes = encode(&sample());
        let len = bytes.len();
        bytes[at % len] = byte;
        bytes[(at * 7) % len] ^= more;
        if let Ok(valid) = read(&bytes) {
            let mut args = [interp::Arg::Slice(vec![0; 16]), interp::Arg::Slice(vec![0; 16]), interp::Arg::Scalar(Value::F32(1.0)), interp::Arg::Slice(vec![0; 16])];
            if valid.params == sample().params {
                let _ = interp::run(&valid, &mut args, 0, 4, 10_000);
            }
            let _ = access(&valid);
            prop_assert_eq!(&parse(&print(&valid)).unwrap(), &*valid);
        }
    }

    #[test]
    fn any_text_never_panics(at in 0usize..2000, with in "[a-z0-9%@$.(){} =,-]{0,4}") {
        let mut text = print(&sample());
        let at = at % text.len();
        text.insert_str(at, &with);
        let _ = parse(&text);
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut whole = b"HSIR\x02".to_vec();
        whole.extend(bytes);
        let _ = read(&whole);
    }
}

/// What the prelude makes is the same for every index, in whatever order they run.
#[test]
fn the_body_does_not_assign_what_the_prelude_made() {
    let made = vec![
        Stmt::Set(A, f(1.0)),
        Stmt::Set(K, u(1)),
        Stmt::Fill(T, f(0.0)),
    ];
    let refused = |stmt: Stmt| {
        let why = validate(module(made.clone(), vec![stmt])).unwrap_err();
        assert!(matches!(why, Invalid::Carried { .. }), "{why}");
    };
    refused(Stmt::Set(A, f(2.0)));
    refused(Stmt::Fill(T, f(2.0)));
    refused(Stmt::SetElement(T, u(0), f(2.0)));
    refused(Stmt::For {
        var: K,
        start: u(0),
        end: u(3),
        body: vec![],
    });
    assert!(validate(module(made.clone(), vec![Stmt::Store(Y, Expr::Local(A))])).is_ok());
    assert!(validate(module(vec![], vec![Stmt::Set(A, f(2.0))])).is_ok());
}
