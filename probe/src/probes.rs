//! Adopted functions, and where their calls go.

use std::sync::Arc;

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_patcher::{Mode, NewSite, Nop, Patcher, Report, Want};
use hotsled_sys::procmem::ProcMem;
use hotsled_trampolines::publish_code;
use parking_lot::RwLock;

use crate::fuse::{self, Fuse};
use crate::gate::{self, Draft, Gate};
use crate::image::Memory;
use crate::sled::{Fit, Place};
use crate::survey::{Candidate, Reason, Refusal, survey};
use crate::{Layout, Module, ProbeError, callees};

/// Number of an adopted function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(u32);

/// Where a function's calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Into the function, past its nops.
    Original,
    /// Into the function, and each call is counted.
    Counted,
    /// Into another function of the same signature.
    Replaced(TargetAddr),
}

/// What came of a module's table.
#[derive(Debug, Default)]
pub struct Adoption {
    /// Functions that can be redirected now.
    pub functions: Vec<FunctionId>,
    /// Functions that were left alone, with the reasons.
    pub refused: Vec<Refusal>,
}

struct Function {
    entry: SiteAddr,
    sled: SiteAddr,
    name: Option<String>,
    site: SiteId,
    gate: Gate,
}

/// The functions of other compilers that one patcher may redirect.
pub struct Probes {
    patcher: Arc<Patcher>,
    functions: RwLock<Vec<Function>>,
}

impl Probes {
    /// Starts without functions, with the process's patcher.
    ///
    /// # Errors
    /// [`ProbeError::Processor`] on the first x86-64 processors.
    pub fn new(patcher: Arc<Patcher>) -> Result<Self, ProbeError> {
        if !gate::processor_counts() {
            return Err(ProbeError::Processor);
        }
        Ok(Self {
            patcher,
            functions: RwLock::default(),
        })
    }

    /// Makes the functions of a module's table known; they run as before.
    ///
    /// What cannot be patched is left alone and named in [`Adoption::refused`].
    ///
    /// # Errors
    /// [`ProbeError`]; no function is adopted then, though nops may have been fused.
    ///
    /// # Safety
    /// All of the module was compiled with `layout`'s numbers (a function whose own attribute asks for
    /// fewer nops must not begin with nops of its own that a branch leads to), and nothing else writes
    /// its code. With [`Fuse::AtLoad`] the caller runs in no signal handler, and no other process shares
    /// this one's memory.
    pub unsafe fn adopt(
        &self,
        module: &Module,
        layout: Layout,
        fuse: Fuse,
    ) -> Result<Adoption, ProbeError> {
        let mut functions = self.functions.write();
        let memory = ProcMem::open()?;
        let (candidates, mut refused) = survey(module, layout, &memory);
        let candidates = without_known(candidates, &functions, &mut refused);
        // SAFETY: the survey saw nops only; the caller vouches for where it runs.
        let candidates = unsafe { fused(candidates, fuse, &mut refused) };
        let first = functions.len();
        // SAFETY: each candidate has one nop where its jump goes, and the caller vouches that no code
        // goes to its inside.
        functions.extend(unsafe { adopted(&self.patcher, candidates, &memory) }?);
        let functions = (first..functions.len())
            .map(|i| FunctionId(i as u32))
            .collect();
        Ok(Adoption { functions, refused })
    }

    /// Sends calls of functions elsewhere, all at once or none; a function named twice takes the last
    /// route.
    ///
    /// A call that overlaps the change goes the old or the new way. It may be under way on the old one for
    /// as long as it likes: whatever a function was ever replaced by stays loaded.
    ///
    /// # Errors
    /// [`ProbeError`]; every function goes on as before then.
    ///
    /// # Safety
    /// Each replacement has its function's signature and calling convention and stays loaded. Where the
    /// compiler knows which registers the function leaves alone (gcc's `-fipa-ra`, for calls within one
    /// file), the replacement leaves them alone, too.
    pub unsafe fn route(&self, routes: &[(FunctionId, Route)]) -> Result<Report, ProbeError> {
        let functions = self.functions.write(); // excludes other routes of the same functions
        let mut wishes = Vec::with_capacity(routes.len());
        let (mut idle, mut jumping) = (Vec::new(), Vec::new());
        for &(id, route) in routes {
            let function = functions
                .get(id.0 as usize)
                .ok_or(ProbeError::Unknown(id))?;
            wishes.push((function.site, wish(route)));
            match self.patcher.state(function.site) {
                Some(Want::Jump) => jumping.push((function, route)),
                _ => idle.push((function, route)),
            }
        }
        // A gate that no call can reach is set before its sled leads there; the others once the
        // patcher has agreed.
        idle.iter()
            .for_each(|(function, route)| lead(function, *route));
        let report = self.patcher.switch(&wishes, Mode::AllOrNone)?;
        jumping
            .iter()
            .for_each(|(function, route)| lead(function, *route));
        Ok(report)
    }

    /// Counts the calls of functions.
    ///
    /// # Errors
    /// As for [`route`](Self::route).
    pub fn count(&self, ids: &[FunctionId]) -> Result<Report, ProbeError> {
        self.route_all(ids, Route::Counted)
    }

    /// Lets functions run as they were compiled.
    ///
    /// # Errors
    /// As for [`route`](Self::route).
    pub fn restore(&self, ids: &[FunctionId]) -> Result<Report, ProbeError> {
        self.route_all(ids, Route::Original)
    }

    fn route_all(&self, ids: &[FunctionId], route: Route) -> Result<Report, ProbeError> {
        let routes: Vec<_> = ids.iter().map(|&id| (id, route)).collect();
        // SAFETY: nothing is replaced.
        unsafe { self.route(&routes) }
    }

    /// The function at `address`, which is its entry or its sled.
    pub fn at(&self, address: u64) -> Option<FunctionId> {
        self.position(|f| f.entry.get() == address || f.sled.get() == address)
    }

    /// The first function of this name.
    pub fn named(&self, name: &str) -> Option<FunctionId> {
        self.position(|f| f.name.as_deref() == Some(name))
    }

    fn position(&self, is: impl Fn(&Function) -> bool) -> Option<FunctionId> {
        let at = self.functions.read().iter().position(is)?;
        Some(FunctionId(at as u32))
    }

    /// A function's name, where its file has one.
    pub fn name(&self, id: FunctionId) -> Option<String> {
        self.with(id, |f| f.name.clone())?
    }

    /// Calls counted so far; exact for calls that returned before, in threads that were joined.
    pub fn calls(&self, id: FunctionId) -> Option<u64> {
        self.with(id, |f| f.gate.calls())
    }

    /// Code that runs the function itself, whatever its sled holds; for replacements to call.
    pub fn original(&self, id: FunctionId) -> Option<TargetAddr> {
        self.with(id, |f| f.gate.original())
    }

    fn with<T>(&self, id: FunctionId, read: impl Fn(&Function) -> T) -> Option<T> {
        self.functions.read().get(id.0 as usize).map(read)
    }
}

fn wish(route: Route) -> Want {
    match route {
        Route::Original => Want::Idle,
        Route::Counted | Route::Replaced(_) => Want::Jump,
    }
}

fn lead(function: &Function, route: Route) {
    match route {
        Route::Original => {}
        Route::Counted => function.gate.lead_to(function.gate.count()),
        Route::Replaced(target) => function.gate.lead_to(target),
    }
}

/// Splits off what must not be patched: functions adopted before, and those the handler calls.
fn without_known(
    candidates: Vec<Candidate>,
    known: &[Function],
    refused: &mut Vec<Refusal>,
) -> Vec<Candidate> {
    let known: std::collections::HashSet<_> = known.iter().map(|f| f.entry).collect();
    let own = callees::of_handler();
    let mut kept = Vec::new();
    for candidate in candidates {
        let function = candidate.entry.function;
        if known.contains(&function) {
            refused.push(candidate.refuse(Reason::Adopted));
        } else if own.contains(&function.get()) {
            refused.push(candidate.refuse(Reason::InHandler));
        } else {
            kept.push(candidate);
        }
    }
    kept
}

/// Fuses the sleds that need it; what may not be fused is refused.
///
/// # Safety
/// As for [`fuse::at_load`].
unsafe fn fused(
    candidates: Vec<Candidate>,
    choice: Fuse,
    refused: &mut Vec<Refusal>,
) -> Vec<(Candidate, Place)> {
    let fusion = |c: &Candidate| match c.fit {
        Fit::Ready(_) => None,
        Fit::Fuse(place) => Some(fuse::fusion(&c.entry.sled, place)),
    };
    let fusions: Vec<_> = candidates.iter().filter_map(fusion).collect();
    let done = match choice {
        _ if fusions.is_empty() => Ok(()),
        Fuse::Refuse => Err("that is switched off".to_owned()),
        // SAFETY: the caller vouches for where it runs; fusions are of sleds.
        Fuse::AtLoad => unsafe { fuse::at_load(&fusions) }.map_err(|e| e.to_string()),
    };
    let mut ready = Vec::new();
    for candidate in candidates {
        match (candidate.fit, &done) {
            (Fit::Ready(place), _) | (Fit::Fuse(place), Ok(())) => ready.push((candidate, place)),
            (Fit::Fuse(_), Err(why)) => {
                refused.push(candidate.refuse(Reason::Unfused(why.clone())))
            }
        }
    }
    ready
}

/// Publishes gates near the functions and hands their sleds to the patcher.
///
/// # Safety
/// At each place there is one nop, and no code goes to its inside.
unsafe fn adopted(
    patcher: &Patcher,
    candidates: Vec<(Candidate, Place)>,
    memory: &ProcMem,
) -> Result<Vec<Function>, ProbeError> {
    let Some(text) = candidates.iter().map(|(c, _)| c.entry.function).min() else {
        return Ok(Vec::new());
    };
    let ends: Vec<_> = candidates
        .iter()
        .map(|(c, _)| c.entry.sled.end().get())
        .collect();
    let draft = Draft::new(&ends);
    let base = publish_code(text, draft.code().to_vec())?;
    let gates = draft.published(base);
    let mut sites = Vec::with_capacity(gates.len());
    for ((_, place), gate) in candidates.iter().zip(&gates) {
        let mut word = [0; 8];
        Memory::read(memory, place.at.get(), &mut word)?;
        let site = NewSite {
            sled: place.at,
            target: gate.entry(),
        };
        sites.push((
            site,
            Nop {
                word,
                len: place.len,
            },
        ));
    }
    // SAFETY: the caller vouches for the nops.
    let ids = unsafe { patcher.adopt_foreign(&sites) }?;
    let parts = candidates.into_iter().zip(gates).zip(ids);
    let function = |(((c, _), gate), site): (((Candidate, Place), Gate), SiteId)| Function {
        entry: c.entry.function,
        sled: c.entry.sled.start(),
        name: c.name,
        site,
        gate,
    };
    Ok(parts.map(function).collect())
}
