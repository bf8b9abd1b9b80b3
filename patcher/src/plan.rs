//! What a session will write, worked out before anything is written.

use std::ops::Range;

use hotsled_abi::{SLED_LEN, SiteAddr, SiteId};
use hotsled_sys::page::PAGE;

use crate::edits::{Edit, Edits};
use crate::sites::{Site, Sites};
use crate::{PatchError, Want};

/// How a site's memory is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// Private pages, through `/proc/self/mem`.
    Private,
    /// The alias of this number.
    Alias(usize),
}

/// Edits that are written in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub edits: Range<usize>,
    pub home: Home,
}

/// Bytes from the first to the last site of a span, at most: what is read, compared and written in one go
/// stays in a core's cache.
const LONGEST: u64 = 16 * PAGE;

/// Edits in ascending order, grouped into spans.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub edits: Edits,
    /// Neighbours in a span have one home and are less than a page apart.
    pub spans: Vec<Span>,
}

impl Plan {
    /// Sorts and groups edits, given the home of an address and where that ends.
    pub(crate) fn new(mut edits: Edits, home: impl Fn(SiteAddr) -> (Home, u64)) -> Self {
        let mut spans = grouped(edits.places(), &home);
        let ascends = |s: &Span| edits.address(s.edits.start - 1) < edits.address(s.edits.start);
        if !spans.iter().skip(1).all(ascends) {
            edits.sort();
            spans = grouped(edits.places(), &home);
        }
        Self { edits, spans }
    }

    /// First address and length in bytes of a span.
    pub(crate) fn extent(&self, span: &Span) -> (u64, usize) {
        let first = self.edits.address(span.edits.start);
        let last = self.edits.address(span.edits.end - 1) + SLED_LEN as u64;
        (first, (last - first) as usize)
    }

    /// Whether every edit reaches its memory through an alias.
    pub(crate) fn is_aliased(&self) -> bool {
        self.spans.iter().all(|s| s.home != Home::Private)
    }
}

/// Sites that follow each other as spans; inside a span they ascend.
fn grouped(places: &[&Site], home: impl Fn(SiteAddr) -> (Home, u64)) -> Vec<Span> {
    let (mut spans, mut start) = (Vec::new(), 0);
    while let Some(first) = places.get(start) {
        let (home, end) = home(first.sled);
        let end = start + together(&places[start..], end);
        let edits = start..end;
        spans.push(Span { edits, home });
        start = end;
    }
    spans
}

/// How many of the sites, the first included, are one span in a home with this end.
fn together(places: &[&Site], end: u64) -> usize {
    let mut last = places[0].sled.get();
    let end = end.min(last.saturating_add(LONGEST));
    let apart = places.iter().position(|place| {
        let address = place.sled.get();
        let gap = address.wrapping_sub(last); // huge where they do not ascend
        last = address;
        gap >= PAGE || address >= end
    });
    apart.unwrap_or(places.len())
}

/// Edits that bring sites to what they shall do, in the memory of others, and the sites that do so already.
/// Of a site that is named twice the last wish counts.
///
/// # Errors
/// A number that nobody adopted, or whose object is unloaded.
pub(crate) fn edits(
    sites: &Sites,
    wishes: &[(SiteId, Want)],
    spare: Edits,
) -> Result<(Edits, Vec<SiteId>), PatchError> {
    let (mut edits, mut already) = (spare, Vec::new());
    let wishes = &*once(wishes);
    let mut does = sites.wants();
    if wishes
        .iter()
        .all(|&(id, wants)| does(id).is_some_and(|does| does != wants))
    {
        edits.fill(wishes, |id| sites.adopted(id)); // as nearly always
        return Ok((edits, already));
    }
    edits.clear();
    for &(id, wants) in wishes {
        let (place, does) = sites.find(id).ok_or_else(|| sites.missing(id))?;
        if wants == does {
            already.push(id);
        } else {
            edits.push(Edit::new(id, place, wants));
        }
    }
    Ok((edits, already))
}

/// The last wish for every site, in order of their numbers; copies only what needs it.
fn once(wishes: &[(SiteId, Want)]) -> std::borrow::Cow<'_, [(SiteId, Want)]> {
    if wishes.is_sorted_by(|a, b| a.0 < b.0) {
        return wishes.into();
    }
    let mut sorted = wishes.to_vec();
    sorted.reverse(); // the last comes first, and a stable sort and dedup keep it
    sorted.sort_by_key(|w| w.0);
    sorted.dedup_by_key(|w| w.0);
    sorted.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::leaked;
    use proptest::prelude::*;

    fn edit(address: u64) -> Edit {
        Edit::new(SiteId(0), leaked(address), Want::Jump)
    }

    fn private(_: SiteAddr) -> (Home, u64) {
        (Home::Private, u64::MAX)
    }

    #[test]
    fn the_last_wish_counts() {
        let wish = |n, want| (SiteId(n), want);
        let wishes = [
            wish(7, Want::Idle),
            wish(2, Want::Jump),
            wish(7, Want::Jump),
        ];
        assert_eq!(*once(&wishes), [wish(2, Want::Jump), wish(7, Want::Jump)]);
    }

    #[test]
    fn a_span_never_reaches_into_another_home() {
        let home = |a: SiteAddr| {
            if a.get() < 0x2000 {
                (Home::Alias(0), 0x2000)
            } else {
                private(a)
            }
        };
        let plan = Plan::new(
            [0x1ff0, 0x2000, 0x2010].map(edit).into_iter().collect(),
            home,
        );
        let spans: Vec<_> = plan
            .spans
            .iter()
            .map(|s| (s.edits.clone(), s.home))
            .collect();
        assert_eq!(spans, [(0..1, Home::Alias(0)), (1..3, Home::Private)]);
    }

    #[test]
    fn edits_are_sorted_whatever_their_order() {
        let plan = Plan::new(
            [0x1000, 0x1010, 0x1008].map(edit).into_iter().collect(),
            private,
        );
        assert!(plan.edits.iter().is_sorted_by_key(|e| e.address()));
        assert_eq!(plan.spans.len(), 1);
    }

    proptest! {
        #[test]
        fn spans_cover_every_edit_once_in_order(addresses in proptest::collection::btree_set(0u64..100_000, 0..50)) {
            let plan = Plan::new(addresses.iter().rev().map(|a| edit(a * 16)).collect(), private);
            let covered: Vec<usize> = plan.spans.iter().flat_map(|s| s.edits.clone()).collect();
            prop_assert_eq!(covered, (0..plan.edits.len()).collect::<Vec<_>>());
            prop_assert!(plan.edits.iter().is_sorted_by_key(|e| e.address()));
            for span in &plan.spans {
                let (start, len) = plan.extent(span);
                prop_assert!(plan.edits.range(span.edits.clone()).all(|e| e.address().get() >= start
                    && e.address().get() + 8 <= start + len as u64));
            }
        }

        #[test]
        fn distant_edits_never_share_a_span(gap in 4096u64..1 << 30) {
            let plan = Plan::new([0x1000, 0x1000 + (gap & !7)].map(edit).into_iter().collect(), private);
            prop_assert_eq!(plan.spans.len(), 2);
        }
    }
}
