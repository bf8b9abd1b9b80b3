//! Bytes that are not ours are never overwritten, and bad sites never adopted.

mod common;

use common::{SITES, bytes, new_site, poke, sled, target, wishes};
use hotsled_abi::{INT3, NOP8, SiteAddr, SiteId, TargetAddr};
use hotsled_patcher::{AliasError, Mode, NewSite, Options, PatchError, Patcher, Want};
use hotsled_sys::procmem::ProcMem;

fn bad_sites_are_not_adopted(patcher: &Patcher) {
    // SAFETY: what is adopted by mistake is never switched.
    let adopt = |site| unsafe { patcher.adopt(&[new_site(0), site]) }.unwrap_err();
    let odd = SiteAddr::new(sled(1).get() + 4);
    let at = |sled, target| NewSite { sled, target };
    assert!(matches!(adopt(at(odd, target(1))), PatchError::Misaligned(a) if a == odd));
    assert!(matches!(adopt(new_site(0)), PatchError::Duplicate(a) if a == sled(0)));
    let far = TargetAddr::new(sled(1).get() + (1 << 32));
    assert!(matches!(adopt(at(sled(1), far)), PatchError::Reach { target, .. } if target == far));
    poke(1, INT3);
    assert!(matches!(adopt(new_site(1)), PatchError::NotIdle { found, .. } if found[0] == INT3));
    poke(1, NOP8[0]);
    assert_eq!(
        patcher.state(SiteId(0)),
        None,
        "a refused batch leaves nothing adopted"
    );
}

#[test]
fn foreign_bytes_refuse_their_site_and_no_other() {
    let patcher = Patcher::new(Options::default()).unwrap();
    assert!(matches!(
        Patcher::new(Options::default()),
        Err(PatchError::Exists)
    ));
    bad_sites_are_not_adopted(&patcher);
    let ids = common::adopt_all(&patcher);
    let jump = wishes(&ids, Want::Jump);
    let unknown = patcher.switch(&[(SiteId(9999), Want::Jump)], Mode::WhatYouCan);
    assert!(matches!(unknown, Err(PatchError::Unknown(SiteId(9999)))));

    poke(77, INT3);
    let Err(PatchError::Foreign(refused)) = patcher.switch(&jump, Mode::AllOrNone) else {
        panic!("a foreign breakpoint was not noticed")
    };
    assert_eq!((refused.len(), refused[0].site), (1, ids[77]));
    assert_eq!((refused[0].expected, refused[0].found[0]), (NOP8, INT3));
    assert!(
        (0..SITES).all(|i| i == 77 || bytes(i) == NOP8),
        "all or none"
    );

    let report = patcher.switch(&jump, Mode::WhatYouCan).unwrap();
    assert_eq!(
        (report.switched.len(), report.refused),
        (SITES - 1, refused)
    );
    assert_eq!(bytes(77)[0], INT3, "the breakpoint is its owner's");
    assert_eq!(patcher.state(ids[77]), Some(Want::Idle));
    assert!((0..SITES).all(|i| i == 77 || common::call(i) == i as u32 | common::NEW));

    poke(77, NOP8[0]);
    let report = patcher.switch(&jump, Mode::AllOrNone).unwrap();
    assert_eq!(
        (report.switched, report.already.len()),
        (vec![ids[77]], SITES - 1)
    );
    assert!(common::all_are(Want::Jump));
}

/// The last byte of the padding behind entry `i`.
fn padding(i: usize) -> u64 {
    sled(i).get() + 15
}

#[test]
fn an_alias_never_takes_foreign_bytes_along() {
    common::in_processes(
        "an_alias_never_takes_foreign_bytes_along",
        &["alias"],
        |_| {
            let patcher = Patcher::new(common::WAYS[1].1).unwrap();
            let mem = ProcMem::open().unwrap();
            // SAFETY: padding is never run.
            unsafe { mem.write(padding(9), &[0x90]) }.unwrap();
            // SAFETY: the sleds and targets of this program.
            let adopted = unsafe { patcher.adopt(&[new_site(0)]) };
            let differs = padding(9) & !7;
            assert!(
                matches!(adopted, Err(PatchError::Alias(AliasError::Differs { address })) if address == differs)
            );
            assert_eq!(patcher.status().sites, 0);
            // SAFETY: as above; the byte as it was.
            unsafe { mem.write(padding(9), &[0xcc]) }.unwrap();
            let ids = common::adopt_all(&patcher);
            patcher
                .switch(&wishes(&ids, Want::Jump), Mode::AllOrNone)
                .unwrap();
            assert!(common::all_are(Want::Jump));
        },
    );
}
