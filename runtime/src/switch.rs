//! Patcher and trampolines of this process, joined: sleds on, sleds off.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hotsled_abi::SiteId;
use hotsled_patcher::{Mode, NewSite, Options, Patcher, Want};
use hotsled_sys::membarrier::Barriers;
use hotsled_trampolines::{Pool, Symbol, gdb, perf};
use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::objects::{self, ObjectFault};
use crate::section::{self, Section};
use crate::{dispatch, plan};

/// What one switch did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SwitchReport {
    pub sites_patched: u64,
    pub micros: f64,
    pub refused: u64,
    /// Whether somebody had taken SIGTRAP, so that its handler was installed anew.
    pub handler_reinstalled: bool,
    /// A debugger that came in the middle.
    pub tracer: Option<i32>,
}

/// Switches sleds; one per process, made when first needed, never unmade.
pub(crate) struct Switch {
    patcher: Patcher,
    pub barriers: Barriers,
}

static SWITCH: OnceLock<Switch> = OnceLock::new();
static MAKING: Mutex<()> = Mutex::new(());
static OPTIONS: Mutex<Options> = Mutex::new(Options::DEFAULT);

/// Chooses how the process is patched; without effect once it has a switch.
pub(crate) fn set_options(options: Options) {
    *OPTIONS.lock() = options;
}

/// Whether trampolines are named for perf.
static PERF_MAP: AtomicBool = AtomicBool::new(false);

/// # Errors
/// The map cannot be written.
pub(crate) fn set_perf_map(on: bool) -> Result<()> {
    if on {
        let path = perf::map_path();
        perf::append(&path, &[]).map_err(|source| Error::PerfMap { path, source })?;
    }
    PERF_MAP.store(on, Ordering::Relaxed);
    Ok(())
}

impl Switch {
    /// The process's switch.
    ///
    /// # Errors
    /// A process that cannot be patched; sections then stay on the CPU.
    pub(crate) fn get() -> Result<&'static Self> {
        let _one = MAKING.lock();
        if let Some(switch) = SWITCH.get() {
            return Ok(switch);
        }
        let switch = Self::make()?;
        Ok(objects::hand_over(switch, |switch| {
            SWITCH.get_or_init(|| switch)
        }))
    }

    /// The switch, if somebody needed it already.
    pub(crate) fn made() -> Option<&'static Self> {
        SWITCH.get()
    }

    fn make() -> Result<Self> {
        let options = *OPTIONS.lock();
        plan::prepare().map_err(Error::Memory)?;
        let barriers = Barriers::register().map_err(Error::Barriers)?;
        let patcher = Patcher::new(options)?;
        Ok(Self { patcher, barriers })
    }

    /// Takes the sleds of one object: trampolines near them, and places in the patcher.
    ///
    /// # Errors
    /// Why the object's sections stay on the CPU.
    pub(crate) fn adopt(
        &self,
        sections: &[&'static Section],
    ) -> std::result::Result<(), ObjectFault> {
        make_trampolines(sections)?;
        let site = |s: &&Section| NewSite {
            sled: s.sled,
            target: s.target().expect("just made"),
        };
        let sites: Vec<_> = sections.iter().map(site).collect();
        // SAFETY: the table's sleds are checked, and their object tells before it is unmapped; their targets
        // are trampolines, which are never freed and lead to dispatch, made for these entries.
        let numbers = unsafe { self.patcher.adopt(&sites) }?;
        for (section, number) in sections.iter().zip(numbers) {
            section.set_adopted(Some(number));
        }
        Ok(())
    }

    /// Idles and forgets the sleds of an object that is about to be unmapped.
    ///
    /// # Errors
    /// Why they could not be idled; they are forgotten all the same.
    pub(crate) fn release(&self, sections: &[&'static Section]) -> Result<()> {
        let numbers: Vec<_> = sections.iter().filter_map(|s| s.adopted()).collect();
        let wishes: Vec<_> = numbers.iter().map(|&n| (n, Want::Idle)).collect();
        let idled = self.patcher.switch(&wishes, Mode::WhatYouCan);
        sections.iter().for_each(|s| s.set_adopted(None));
        self.patcher.forget(&numbers)?;
        idled?;
        Ok(())
    }

    /// Brings every section that `wants` says yes to into jumping, the others into idling.
    ///
    /// # Errors
    /// [`Error::Patch`] says why nothing was switched.
    pub(crate) fn to(&self, wants: impl Fn(&Section) -> bool) -> Result<SwitchReport> {
        let steady = objects::steady(); // no sled is unmapped meanwhile
        let want = |s: &Section| if wants(s) { Want::Jump } else { Want::Idle };
        let adopted = section::live().filter_map(|s| Some((s.adopted()?, s)));
        let wishes: Vec<(SiteId, Want)> = adopted.map(|(n, s)| (n, want(s))).collect();
        let began = Instant::now();
        let report = self.patcher.switch(&wishes, Mode::WhatYouCan)?;
        drop(steady);
        for refusal in &report.refused {
            tracing::warn!(%refusal, "a sled holds foreign bytes and was left alone");
        }
        Ok(SwitchReport {
            sites_patched: report.switched.len() as u64,
            micros: began.elapsed().as_secs_f64() * 1e6,
            refused: report.refused.len() as u64,
            handler_reinstalled: report.handler_reinstalled,
            tracer: report.tracer,
        })
    }

    pub(crate) fn patching(&self) -> String {
        self.patcher.status().to_string()
    }
}

/// One pool for the sections that have no trampoline yet: new ones, with numbers in a row.
fn make_trampolines(sections: &[&'static Section]) -> std::result::Result<(), ObjectFault> {
    let new: Vec<_> = sections.iter().filter(|s| s.target().is_none()).collect();
    let numbers = new.iter().map(|s| s.site.0);
    let (Some(text), Some(first)) = (new.iter().map(|s| s.sled).min(), numbers.clone().min())
    else {
        return Ok(());
    };
    let last = numbers.max().expect("there is a first");
    let pool = Pool::publish(text, dispatch::address(), first..last + 1)?;
    for section in &new {
        section.set_target(pool.target(section.site).expect("a block for each number"));
    }
    name(&new);
    Ok(())
}

/// Tells gdb, and perf if asked to, what the trampolines are called.
fn name(sections: &[&&'static Section]) {
    let symbol = |s: &&&Section| {
        Some(Symbol {
            at: s.target()?,
            name: format!("hotsled:{}", s.path),
        })
    };
    let symbols: Vec<_> = sections.iter().filter_map(symbol).collect();
    gdb::register(&symbols);
    if PERF_MAP.load(Ordering::Relaxed) {
        let _ = perf::append(&perf::map_path(), &symbols); // it could be written when it was asked for
    }
}
