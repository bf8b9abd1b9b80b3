//! A report for people.

use std::fmt;

use super::{Kind, Param, Report, Section};

/// Shows a report, a few lines a section.
pub struct Listing<'a>(pub &'a Report);

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { sections, faults } = self.0;
        if sections.is_empty() && faults.is_empty() {
            return writeln!(f, "no hotsled sections");
        }
        sections.iter().try_for_each(|s| section(f, s))?;
        faults
            .iter()
            .try_for_each(|fault| writeln!(f, "fault: {fault}"))?;
        writeln!(f, "{} sections, {} faults", sections.len(), faults.len())
    }
}

fn section(f: &mut fmt::Formatter<'_>, s: &Section) -> fmt::Result {
    writeln!(f, "{}", s.path)?;
    writeln!(f, "  site    {:#x}  {}  {}", s.site, s.bytes, s.decoded)?;
    writeln!(f, "  body    {:#x}", s.body)?;
    writeln!(f, "  isa     {} bytes", s.isa_bytes)?;
    for p in &s.params {
        writeln!(f, "  param   {}: {}  {}", p.name, written(p), p.access)?;
    }
    writeln!(f)
}

fn written(p: &Param) -> String {
    match p.kind {
        Kind::Scalar => p.ty.clone(),
        Kind::Input => format!("&[{}]", p.ty),
        Kind::Own => format!("&mut [{}]", p.ty),
        Kind::Accumulator => format!("accumulator [{}]", p.ty),
    }
}
