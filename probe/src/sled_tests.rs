//! The analyser beside a table of nop encodings that shares nothing with its decoder.

use super::*;
use proptest::prelude::*;

/// Length of the nop that `bytes` begin with, by the encoding rules written out: prefixes, REX, then
/// `90` without REX.B, or `0f 1f /0` with its operand.
fn nop_len(bytes: &[u8]) -> Option<usize> {
    const LEGACY: [u8; 8] = [0x66, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65];
    let (mut at, mut rex) = (0, 0);
    loop {
        match *bytes.get(at)? {
            p if LEGACY.contains(&p) => rex = 0,
            r if r & 0xf0 == 0x40 => rex = r,
            _ => break,
        }
        at += 1;
    }
    let len = match bytes[at..] {
        [0x90, ..] if rex & 1 == 0 => at + 1,
        [0x0f, 0x1f, modrm, ..] if modrm >> 3 & 7 == 0 => {
            at + 3 + operand_len(modrm, bytes.get(at + 3).copied())?
        }
        _ => return None,
    };
    (len <= 15 && len <= bytes.len()).then_some(len)
}

/// Bytes of SIB and displacement.
fn operand_len(modrm: u8, sib: Option<u8>) -> Option<usize> {
    let (mode, rm) = (modrm >> 6, modrm & 7);
    let (sib_len, base) = match (mode, rm) {
        (3, _) => return Some(0),
        (_, 4) => (1, sib? & 7),
        _ => (0, rm),
    };
    Some(sib_len + [if base == 5 { 4 } else { 0 }, 1, 4][usize::from(mode)])
}

fn all_nops(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut lengths = Vec::new();
    while !bytes.is_empty() {
        let len = nop_len(bytes)?;
        lengths.push(len as u8);
        bytes = &bytes[len..];
    }
    (!lengths.is_empty()).then_some(lengths)
}

fn at(address: u64) -> SiteAddr {
    SiteAddr::new(address)
}

/// Bytes that nops are made of, so that random strings are nops often enough.
fn likely() -> impl Strategy<Value = u8> {
    prop_oneof![
        8 => prop::sample::select(&[0x0f, 0x1f, 0x90, 0x90, 0x90, 0x66, 0x2e, 0, 0, 0x44, 0x84, 0x40, 0x41, 0x48, 0xc0, 0x80, 0xf3, 0xf0][..]),
        1 => any::<u8>(),
    ]
}

fn some_nop() -> impl Strategy<Value = Vec<u8>> {
    let known: [&[u8]; 8] = [
        &[0x90],
        &[0x66, 0x90],
        &[0x0f, 0x1f, 0],
        &[0x0f, 0x1f, 0x44, 0, 8],
        &[0x66, 0x0f, 0x1f, 0x44, 0, 8],
        &[0x0f, 0x1f, 0x84, 0, 0, 2, 0, 0],
        &[0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 2, 0, 0],
        &[
            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 2, 0, 0,
        ],
    ];
    prop::sample::select(known.map(<[u8]>::to_vec).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn bytes_are_accepted_exactly_when_all_are_nops(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..24),
            prop::collection::vec(likely(), 0..24),
            prop::collection::vec(some_nop(), 0..4).prop_map(|n| n.concat()),
        ],
        address in any::<u64>(),
    ) {
        prop_assume!(!bytes.starts_with(&ENDBR64));
        let got = analyse(&bytes, at(address));
        prop_assert_eq!(got.clone().ok().map(|s| s.lengths), all_nops(&bytes), "{:02x?} {:?}", bytes, got);
    }

    #[test]
    fn one_changed_byte_never_passes_for_a_nop_it_is_not(
        nops in prop::collection::vec(some_nop(), 1..4), at_byte in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = nops.concat();
        let index = at_byte.index(bytes.len());
        bytes[index] = byte;
        prop_assert_eq!(analyse(&bytes, at(0x1000)).is_ok(), all_nops(&bytes).is_some());
    }

    #[test]
    fn a_place_lies_in_the_sled_at_a_boundary(nops in prop::collection::vec(some_nop(), 1..4), start in 0u64..1 << 40) {
        let bytes = nops.concat();
        let sled = analyse(&bytes, at(start)).unwrap();
        prop_assert_eq!(sled.end().get(), start + bytes.len() as u64);
        match sled.fit() {
            Ok(Fit::Ready(p)) => prop_assert!(sled.nops().any(|n| n == p) && p.at.get() % 8 == 0 && p.len >= 5),
            Ok(Fit::Fuse(p)) => {
                prop_assert!(p.at >= sled.start() && p.at.get() + u64::from(p.len) <= sled.end().get());
                prop_assert!(p.at.get() % 8 == 0 && (5..=8).contains(&p.len));
            }
            Err(_) => prop_assert!(bytes.len() < 12),
        }
    }
}

#[test]
fn an_endbr64_in_front_is_passed_over_and_none_behind() {
    let sled = analyse(&[0xf3, 0x0f, 0x1e, 0xfa, 0x90, 0x66, 0x90], at(0x1000)).unwrap();
    assert_eq!((sled.start(), sled.len()), (at(0x1004), 3));
    let twice = analyse(&[0x90, 0xf3, 0x0f, 0x1e, 0xfa], at(0x1000)).unwrap_err();
    let at = at(0x1001);
    assert_eq!(
        twice,
        SledError::NotANop {
            at,
            instruction: "endbr64".into()
        }
    );
}

#[test]
fn what_is_no_sled_is_named() {
    let error = |bytes: &[u8]| analyse(bytes, at(0x1000)).unwrap_err();
    assert_eq!(error(&[]), SledError::Empty { at: at(0x1000) });
    assert_eq!(error(&ENDBR64), SledError::Empty { at: at(0x1004) });
    assert_eq!(
        error(&[0x90, 0x0f, 0x1f, 0x44]),
        SledError::Cut { at: at(0x1001) }
    );
    let named = error(&[0x90, 0x55, 0x90]).to_string();
    assert_eq!(named, "`push rbp` at 0x1001 is no nop");
    assert!(error(&[0xf3, 0x90]).to_string().contains("pause"));
}

#[test]
fn compilers_sleds_fit_as_the_readme_says() {
    let clang16 = [some_clang_15(), vec![0x90]].concat();
    let fit = |bytes: &[u8], start| analyse(bytes, at(start)).unwrap().fit();
    let place = |address, len| Place {
        at: at(address),
        len,
    };
    assert_eq!(fit(&clang16, 0x1000), Ok(Fit::Ready(place(0x1000, 15))));
    assert_eq!(fit(&clang16, 0x1004), Ok(Fit::Fuse(place(0x1008, 8))));
    assert_eq!(fit(&[0x90; 16], 0x1000), Ok(Fit::Fuse(place(0x1000, 8))));
    assert_eq!(fit(&[0x90; 12], 0x1001), Ok(Fit::Fuse(place(0x1008, 5))));
    assert_eq!(
        fit(&[0x0f, 0x1f, 0x44, 0, 8], 0x1000),
        Ok(Fit::Ready(place(0x1000, 5)))
    );
    assert!(matches!(
        fit(&[0x0f, 0x1f, 0x44, 0, 8], 0x1001),
        Err(SledError::Short { len: 5, .. })
    ));
    assert!(matches!(
        fit(&[0x66, 0x90], 0x1000),
        Err(SledError::Short { len: 2, .. })
    ));
}

fn some_clang_15() -> Vec<u8> {
    vec![
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 2, 0, 0,
    ]
}
