//! Results as text for people.

use crate::kernel::Entry;
use crate::measure::Row;
use crate::storm::StormRow;

/// The suite: names, sizes, sources.
pub fn suite_table(entries: &[Entry]) -> String {
    let mut text = String::new();
    for e in entries {
        text += &format!(
            "{:<18} {:>9} {:<26} {}\n",
            e.name, e.size, e.counts, e.source
        );
    }
    text
}

/// Measured rows.
pub fn rows_table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<18} {:<7} {:>9} {:>4} {:>11} {:>11} {:>6} {:>6} {:>7}  note\n",
        "kernel", "on", "size", "ok", "section", "rayon", "ratio", "exact", "device"
    );
    for r in rows {
        text += &format!(
            "{:<18} {:<7} {:>9} {:>4} {:>11} {:>11} {:>6} {:>6} {:>6.0}%  {}\n",
            r.kernel,
            r.on,
            r.size,
            yes(r.ok),
            figure(r.seconds.map(|s| s * 1e3), " ms"),
            figure(r.rayon_seconds.map(|s| s * 1e3), " ms"),
            figure(r.ratio, ""),
            yes(r.exact),
            r.device_share * 100.0,
            r.note.as_deref().unwrap_or_default()
        );
    }
    text
}

/// What a storm did.
pub fn storm_table(rows: &[StormRow]) -> String {
    let mut text = format!(
        "{:<18} {:>6} {:>6} {:>12} {:>15}  note\n",
        "kernel", "runs", "wrong", "device calls", "replayed chunks"
    );
    for r in rows {
        let note = r.note.as_deref().unwrap_or_default();
        text += &format!(
            "{:<18} {:>6} {:>6} {:>12} {:>15}  {note}\n",
            r.kernel, r.runs, r.wrong, r.calls_device, r.chunks_replayed
        );
    }
    text
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "NO" }
}

fn figure(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}{unit}"))
}
