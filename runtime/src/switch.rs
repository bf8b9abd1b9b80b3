//! Patcher and trampolines of this process, joined: sleds on, sleds off.

use std::sync::OnceLock;
use std::time::Instant;

use hotsled_abi::SiteId;
use hotsled_patcher::{Mode, NewSite, Options, Patcher, Want};
use hotsled_sys::membarrier::Barriers;
use hotsled_trampolines::Pool;
use parking_lot::Mutex;

use crate::error::{Error, Result};
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

impl Switch {
    /// The process's switch.
    ///
    /// # Errors
    /// A faulty site table, or a process that cannot be patched; sections then stay on the CPU.
    pub(crate) fn get() -> Result<&'static Self> {
        let _one = MAKING.lock();
        if let Some(switch) = SWITCH.get() {
            return Ok(switch);
        }
        let switch = Self::make()?;
        Ok(SWITCH.get_or_init(|| switch))
    }

    fn make() -> Result<Self> {
        let options = *OPTIONS.lock();
        let sections = section::registry()?;
        plan::prepare().map_err(Error::Memory)?;
        let barriers = Barriers::register().map_err(Error::Barriers)?;
        let patcher = Patcher::new(options)?;
        if let Some(first) = sections.iter().map(|s| s.sled).min() {
            let pool = Pool::publish(first, dispatch::address(), 0..sections.len() as u32)?;
            let target = |s: &Section| pool.target(s.site).expect("one block for each section");
            let sites: Vec<_> = sections
                .iter()
                .map(|s| NewSite {
                    sled: s.sled,
                    target: target(s),
                })
                .collect();
            // SAFETY: the table's sleds are checked, stay as long as the main program does, and their
            // targets are trampolines, which are never freed and lead to dispatch, made for these entries.
            let numbers = unsafe { patcher.adopt(&sites) }?;
            debug_assert!(numbers.iter().zip(sections).all(|(n, s)| *n == s.site));
        }
        Ok(Self { patcher, barriers })
    }

    /// Brings every section that `wants` says yes to into jumping, the others into idling.
    ///
    /// # Errors
    /// [`Error::Patch`] says why nothing was switched.
    pub(crate) fn to(&self, wants: impl Fn(&Section) -> bool) -> Result<SwitchReport> {
        let sections = section::registry()?;
        let want = |s: &Section| if wants(s) { Want::Jump } else { Want::Idle };
        let wishes: Vec<(SiteId, Want)> = sections.iter().map(|s| (s.site, want(s))).collect();
        let began = Instant::now();
        let report = self.patcher.switch(&wishes, Mode::WhatYouCan)?;
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
