//! The protocols on a machine whose cores fetch stale bytes, explored by loom.
//!
//! The model is x86 with an instruction fetch that is not coherent: a core may execute any byte that was in
//! memory since it last serialised, each byte by itself, or each word by itself where single stores are
//! qualified. Relaxed loads of loom give exactly that. A core fetches and executes one instruction under a
//! lock of its own; a sync takes and gives back every core's lock: whatever a core executes later, it fetches
//! after the sync, and whatever it fetched before has retired.
//!
//! The protocols that run are the real ones. Each sync that is left out makes the model fail.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool as Ghost;

use hotsled_abi::INT3;
use loom::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use loom::sync::{Arc, Mutex};

use crate::Mode;
use crate::batch::Batch;
use crate::edits::State;
use crate::protocol::{self, Machine};
use crate::sites::Word;
use crate::testing::{NEW, OLD, plan};

/// One sled, as the fetch of an executing core sees it.
trait Fetch: Send + Sync + 'static {
    fn new() -> Self;
    fn fetch(&self) -> Word;
    fn put(&self, word: Word);
}

/// First byte and tail arrive on their own.
struct ByByte {
    head: AtomicU8,
    /// The word without its first byte; one atomic, since more would only slow loom down.
    tail: AtomicU64,
}

impl Fetch for ByByte {
    fn new() -> Self {
        Self {
            head: AtomicU8::new(OLD[0]),
            tail: AtomicU64::new(u64::from_le_bytes(OLD) >> 8),
        }
    }

    fn fetch(&self) -> Word {
        let mut word = (self.tail.load(Relaxed) << 8).to_le_bytes();
        word[0] = self.head.load(Relaxed);
        word
    }

    fn put(&self, word: Word) {
        self.head.store(word[0], Relaxed);
        self.tail.store(u64::from_le_bytes(word) >> 8, Relaxed);
    }
}

/// The word arrives whole, as makers promise of qualified CPUs.
struct ByWord(AtomicU64);

impl Fetch for ByWord {
    fn new() -> Self {
        Self(AtomicU64::new(u64::from_le_bytes(OLD)))
    }

    fn fetch(&self) -> Word {
        self.0.load(Relaxed).to_le_bytes()
    }

    fn put(&self, word: Word) {
        self.0.store(u64::from_le_bytes(word), Relaxed);
    }
}

struct Core<F> {
    sled: F,
    pipeline: Mutex<()>,
    /// Whether the session has reported its end; no part of the machine, hence no atomic of loom.
    ended: Ghost,
}

impl<F: Fetch> Core<F> {
    /// Executes the sled once.
    fn execute(&self) {
        let _instruction = self.pipeline.lock().unwrap();
        let ended = self.ended.load(std::sync::atomic::Ordering::SeqCst);
        let word = self.sled.fetch();
        assert!(
            word[0] == INT3 || word == OLD || word == NEW,
            "a mix: {word:?}"
        );
        assert!(!ended || word == NEW, "after the end: {word:?}");
    }
}

/// The patching side: memory as it is, and syncs, of which one may be left out.
struct Patching<F> {
    core: Arc<Core<F>>,
    memory: Cell<Word>,
    syncs: Cell<u32>,
    left_out: Option<u32>,
}

impl<F: Fetch> Machine for Patching<F> {
    fn compare(&self, batch: &mut Batch<'_>, held: State) -> io::Result<()> {
        let plan = batch.plan;
        batch.sift(plan.spans[0].edits.clone(), held, |_| self.memory.get());
        Ok(())
    }

    fn exchange(&self, batch: &mut Batch<'_>, from: State, to: State) -> io::Result<()> {
        let plan = batch.plan;
        if batch.sift(plan.spans[0].edits.clone(), from, |_| self.memory.get()) {
            self.memory.set(plan.edits.get(0).word(to));
            self.core.sled.put(self.memory.get());
        }
        Ok(())
    }

    fn sync_cores(&self) -> io::Result<()> {
        self.syncs.set(self.syncs.get() + 1);
        if self.left_out != Some(self.syncs.get()) {
            drop(self.core.pipeline.lock().unwrap());
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum By {
    Breakpoints,
    Stores,
}

/// Whether a core that executes the sled twice during and after a session sees nothing it must not.
fn holds<F: Fetch>(by: By, left_out: Option<u32>) -> bool {
    let model = move || {
        let core = Arc::new(Core {
            sled: F::new(),
            pipeline: Mutex::new(()),
            ended: Ghost::new(false),
        });
        let executing = {
            let core = core.clone();
            loom::thread::spawn(move || [(); 2].map(|()| core.execute()))
        };
        let machine = Patching {
            core: core.clone(),
            memory: OLD.into(),
            syncs: 0.into(),
            left_out,
        };
        let plan = plan(1);
        let mut batch = Batch::new(&plan);
        let done = match by {
            By::Breakpoints => protocol::trap_and_rewrite(&mut batch, &machine, Mode::WhatYouCan),
            By::Stores => protocol::store(&mut batch, &machine, Mode::WhatYouCan),
        };
        assert!(done.is_ok() && batch.refused.is_empty());
        core.ended.store(true, std::sync::atomic::Ordering::SeqCst);
        executing.join().unwrap();
    };
    catch_unwind(AssertUnwindSafe(|| loom::model(model))).is_ok()
}

#[test]
fn breakpoints_need_every_one_of_their_syncs() {
    assert!(holds::<ByByte>(By::Breakpoints, None));
    for sync in 1..=3 {
        assert!(
            !holds::<ByByte>(By::Breakpoints, Some(sync)),
            "without sync {sync}"
        );
    }
}

#[test]
fn a_store_needs_its_sync_and_a_qualified_cpu() {
    assert!(holds::<ByWord>(By::Stores, None));
    assert!(!holds::<ByWord>(By::Stores, Some(1)), "without its sync");
    assert!(
        !holds::<ByByte>(By::Stores, None),
        "on a CPU that fetches by byte"
    );
}
