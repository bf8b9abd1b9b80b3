//! Which rows of a module's table are functions that can be patched, and why the others are not.

use hotsled_abi::SiteAddr;

use crate::image::Memory;
use crate::layout::{Entry, Layout};
use crate::module::Module;
use crate::sled::{Fit, SledError};

/// A function left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where calls of it go, by its row.
    pub function: SiteAddr,
    /// Its name, where the file has one.
    pub name: Option<String>,
    /// Why.
    pub reason: Reason,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name.as_deref().unwrap_or("function");
        write!(f, "{name} at {}: {}", self.function, self.reason)
    }
}

/// Why a function was left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The row leads out of the module's code.
    #[error("its row leads out of the module's code")]
    OutsideText,
    /// Two rows have one address.
    #[error("it has more than one row")]
    Duplicate,
    /// Two sleds share bytes.
    #[error("its sled overlaps that of the row {0}")]
    Overlap(SiteAddr),
    /// The row leads into a function instead of to its start.
    #[error("its row leads {offset} bytes into the function; is the layout the compiler's?")]
    Inside {
        /// How far.
        offset: u64,
    },
    /// Another function starts within the sled or at its end.
    #[error("a function starts at {0}, among its nops; is the layout the compiler's?")]
    Around(SiteAddr),
    /// No function starts at the entry, though the file names every function.
    #[error("no function starts there; is the layout the compiler's?")]
    Nameless,
    /// Its bytes are no sled, or too short a one.
    #[error(transparent)]
    Sled(#[from] SledError),
    /// Several nops where a jump needs one.
    #[error("its nops must be fused, and {0}")]
    Unfused(String),
    /// It was adopted before.
    #[error("it is adopted already")]
    Adopted,
    /// The patcher's SIGTRAP handler calls it.
    #[error("the SIGTRAP handler calls it")]
    InHandler,
}

/// A function whose sled will do.
pub(crate) struct Candidate {
    pub entry: Entry,
    pub name: Option<String>,
    pub fit: Fit,
}

impl Candidate {
    pub fn refuse(self, reason: Reason) -> Refusal {
        Refusal {
            function: self.entry.function,
            name: self.name,
            reason,
        }
    }
}

/// Judges every row.
pub(crate) fn survey(
    module: &Module,
    layout: Layout,
    memory: &impl Memory,
) -> (Vec<Candidate>, Vec<Refusal>) {
    let rows = module.rows();
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for group in rows.chunk_by(|a, b| a == b) {
        let row = SiteAddr::new(group[0]);
        let judged = match group {
            [_] => judge(module, layout, row, memory),
            _ => Err(Reason::Duplicate),
        };
        match judged {
            Ok(candidate) => good.push((row, candidate)),
            Err(reason) => refused.push(refusal(module, layout.entry(row), reason)),
        }
    }
    let good = without_overlaps(good, &mut refused);
    (good, refused)
}

fn refusal(module: &Module, function: SiteAddr, reason: Reason) -> Refusal {
    let symbol = module.function(function.get());
    Refusal {
        function,
        name: symbol.map(|(_, s)| s.name.clone()),
        reason,
    }
}

fn judge(
    module: &Module,
    layout: Layout,
    row: SiteAddr,
    memory: &impl Memory,
) -> Result<Candidate, Reason> {
    let text = module.text(row.get()).ok_or(Reason::OutsideText)?;
    let room = text.start + text.len - row.get();
    let len = layout.window().min(room as usize);
    let bytes = memory
        .get(row.get(), len)
        .map_err(|_| Reason::OutsideText)?;
    let mut preceding = [0; 4];
    if row.get() - text.start >= 4 {
        memory
            .read(row.get() - 4, &mut preceding)
            .map_err(|_| Reason::OutsideText)?;
    }
    let entry = layout.locate(&bytes, row, preceding)?;
    let name = check_symbols(module, &entry)?;
    let fit = entry.sled.fit()?;
    Ok(Candidate { entry, name, fit })
}

/// Where the file has symbols, a function starts at the entry, and no other within the sled or at its
/// end, where the nops before an entry end.
fn check_symbols(module: &Module, entry: &Entry) -> Result<Option<String>, Reason> {
    let function = entry.function.get();
    match module.function(function) {
        Some((start, symbol)) if start == function => return Ok(Some(symbol.name.clone())),
        Some((start, _)) => {
            let offset = function - start;
            return Err(Reason::Inside { offset });
        }
        None if module.knows_all() => return Err(Reason::Nameless),
        None => {}
    }
    match module.function(entry.sled.end().get()) {
        Some((start, _)) if start > function => Err(Reason::Around(SiteAddr::new(start))),
        _ => Ok(None),
    }
}

/// Takes out both of any two sleds that share bytes: at most one of them can be right.
fn without_overlaps(
    good: Vec<(SiteAddr, Candidate)>,
    refused: &mut Vec<Refusal>,
) -> Vec<Candidate> {
    let spans: Vec<_> = good
        .iter()
        .map(|(row, c)| (*row, c.entry.sled.end()))
        .collect();
    let mut kept = Vec::new();
    for ((_, candidate), clash) in good.into_iter().zip(clashes(&spans)) {
        match clash {
            Some(other) => refused.push(candidate.refuse(Reason::Overlap(other))),
            None => kept.push(candidate),
        }
    }
    kept
}

/// For each span, by ascending start, the start of one that shares bytes with it.
fn clashes(spans: &[(SiteAddr, SiteAddr)]) -> Vec<Option<SiteAddr>> {
    let mut clashes = vec![None; spans.len()];
    let mut furthest = 0; // of the spans before, the one that ends last
    for at in 1..spans.len() {
        if spans[furthest].1 > spans[at].0 {
            clashes[at] = Some(spans[furthest].0);
            clashes[furthest] = Some(spans[at].0);
        }
        if spans[at].1 > spans[furthest].1 {
            furthest = at;
        }
    }
    clashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_that_shares_bytes_is_named() {
        let at = SiteAddr::new;
        let spans = [(0, 8), (8, 40), (16, 24), (30, 38), (40, 48)].map(|(a, b)| (at(a), at(b)));
        let found = clashes(&spans);
        assert_eq!(found, [None, Some(at(30)), Some(at(8)), Some(at(8)), None]);
        assert!(clashes(&[]).is_empty());
    }
}
