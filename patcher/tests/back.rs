//! A session that takes back the last one uses what that worked out, and is as careful as any.

mod common;

use common::{NEW, SITES, all_are, bytes, call, new_site, poke, sled, wishes};
use hotsled_abi::{INT3, SiteId};
use hotsled_patcher::{Mode, PatchError, Patcher, Want};
use hotsled_sys::procmem::ProcMem;

/// Switches them all, and none was so already.
fn switch(patcher: &Patcher, ids: &[SiteId], want: Want) {
    let report = patcher.switch(&wishes(ids, want), Mode::AllOrNone).unwrap();
    assert_eq!((&*report.switched, report.already.len()), (ids, 0));
}

#[test]
fn the_last_session_is_taken_back_again_and_again() {
    common::in_every_way("the_last_session_is_taken_back_again_and_again", |way| {
        let patcher = Patcher::new(way).unwrap();
        let ids = common::adopt_all(&patcher);
        for _ in 0..3 {
            switch(&patcher, &ids, Want::Jump);
            assert!(all_are(Want::Jump));
            switch(&patcher, &ids, Want::Idle);
            assert!(all_are(Want::Idle));
        }
    });
}

/// As many wishes as before, for other sites; for some of the same; the same once more.
#[test]
fn what_only_looks_like_taking_back_is_worked_out_anew() {
    common::in_every_way(
        "what_only_looks_like_taking_back_is_worked_out_anew",
        |way| {
            let patcher = Patcher::new(way).unwrap();
            let ids = common::adopt_all(&patcher);
            let (front, back) = ids.split_at(SITES / 2);
            switch(&patcher, front, Want::Jump);
            switch(&patcher, back, Want::Jump);
            assert!(all_are(Want::Jump));
            switch(&patcher, front, Want::Idle);
            let report = patcher
                .switch(&wishes(front, Want::Idle), Mode::AllOrNone)
                .unwrap();
            assert_eq!((report.switched.len(), &*report.already), (0, front));
            switch(&patcher, &front[..3], Want::Jump);
            let report = patcher
                .switch(&wishes(&ids, Want::Jump), Mode::AllOrNone)
                .unwrap();
            assert_eq!(report.switched, front[3..]);
            assert!(all_are(Want::Jump));
            let mixed: Vec<_> = (ids.iter().zip([Want::Idle, Want::Jump].into_iter().cycle()))
                .map(|(&id, want)| (id, want))
                .collect();
            patcher.switch(&mixed, Mode::AllOrNone).unwrap();
            let is_mixed = |i| call(i) == i as u32 | if i % 2 == 0 { 0 } else { NEW };
            assert!((0..SITES).all(is_mixed));
        },
    );
}

#[test]
fn foreign_bytes_are_found_on_the_way_back_too() {
    let patcher = Patcher::new(common::WAYS[0].1).unwrap();
    let ids = common::adopt_all(&patcher);
    switch(&patcher, &ids, Want::Jump);
    let padding = sled(9).get() + 15;
    // SAFETY: padding is never run.
    unsafe { ProcMem::open().unwrap().write(padding, &[0x90]) }.unwrap();
    let jump = bytes(77)[0];
    poke(77, INT3);
    let back = wishes(&ids, Want::Idle);
    let Err(PatchError::Foreign(refused)) = patcher.switch(&back, Mode::AllOrNone) else {
        panic!("a foreign breakpoint was not noticed")
    };
    assert_eq!((refused.len(), refused[0].site), (1, ids[77]));
    assert!((0..SITES).all(|i| i == 77 || call(i) == i as u32 | NEW));

    let report = patcher.switch(&back, Mode::WhatYouCan).unwrap();
    assert_eq!(
        (report.switched.len(), report.refused),
        (SITES - 1, refused)
    );
    assert_eq!(bytes(77)[0], INT3, "the breakpoint is its owner's");
    poke(77, jump);
    let report = patcher
        .switch(&wishes(&ids, Want::Jump), Mode::AllOrNone)
        .unwrap();
    assert_eq!(
        (report.switched.len(), &*report.already),
        (SITES - 1, &ids[77..78])
    );
    switch(&patcher, &ids, Want::Idle);
    assert!(all_are(Want::Idle));
    // SAFETY: readable text.
    let found = unsafe { std::ptr::read_volatile(padding as *const u8) };
    assert_eq!(found, 0x90, "what others write between sites stays");
}

#[test]
fn sites_that_are_gone_are_not_switched_back() {
    common::in_every_way("sites_that_are_gone_are_not_switched_back", |way| {
        let patcher = Patcher::new(way).unwrap();
        let ids = common::adopt_all(&patcher);
        switch(&patcher, &ids, Want::Jump);
        switch(&patcher, &ids, Want::Idle);
        patcher.forget(&ids[5..6]).unwrap();
        let error = patcher.switch(&wishes(&ids, Want::Jump), Mode::AllOrNone);
        assert!(matches!(error, Err(PatchError::Forgotten { site, .. }) if site == ids[5]));
        assert!(all_are(Want::Idle));
        // SAFETY: the sled and target of this program.
        let again = unsafe { patcher.adopt(&[new_site(5)]) }.unwrap();
        switch(&patcher, &again, Want::Jump);
        assert_eq!(call(5), 5 | NEW);
    });
}
