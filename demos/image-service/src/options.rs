//! Query options: numbers with defaults and limits.

use std::ops::RangeInclusive;

use crate::Refusal;

/// The pairs of a query that no option has taken yet, and the names that were asked for.
pub struct Options<'a> {
    left: Vec<(&'a str, &'a str)>,
    known: Vec<&'static str>,
}

impl<'a> Options<'a> {
    /// All pairs.
    pub fn new(pairs: &'a [(String, String)]) -> Self {
        Self {
            left: pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            known: Vec::new(),
        }
    }

    /// A number in `range`, or `default`.
    pub fn number(
        &mut self,
        name: &'static str,
        default: f64,
        range: RangeInclusive<f64>,
    ) -> Result<f64, Refusal> {
        let Some(text) = self.take(name)? else {
            return Ok(default);
        };
        match text.parse() {
            Ok(value) if range.contains(&value) => Ok(value),
            _ => Err(refuse(
                name,
                text,
                format!("it is a number from {} to {}", range.start(), range.end()),
            )),
        }
    }

    /// An odd whole number up to `most`, or `default`.
    pub fn odd(&mut self, name: &'static str, default: u32, most: u32) -> Result<u32, Refusal> {
        let Some(text) = self.take(name)? else {
            return Ok(default);
        };
        match text.parse() {
            Ok(value) if value % 2 == 1 && value <= most => Ok(value),
            _ => Err(refuse(
                name,
                text,
                format!("it is an odd number from 1 to {most}"),
            )),
        }
    }

    /// The text of an option, if given.
    pub fn take(&mut self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        self.known.push(name);
        let Some(at) = self.left.iter().position(|(key, _)| *key == name) else {
            return Ok(None);
        };
        let (_, value) = self.left.remove(at);
        match self.left.iter().find(|(key, _)| *key == name) {
            Some((_, again)) => Err(refuse(name, again, "it is given twice".into())),
            None => Ok(Some(value)),
        }
    }

    /// Refuses what nobody took.
    pub fn finish(self, filter: &str) -> Result<(), Refusal> {
        let Some((name, value)) = self.left.first() else {
            return Ok(());
        };
        let why = match self.known.as_slice() {
            [] => format!("{filter} takes no options"),
            known => format!("{filter} takes {}", known.join(", ")),
        };
        Err(refuse(name, value, why))
    }
}

fn refuse(name: &str, value: &str, why: String) -> Refusal {
    let short = |text: &str| text.chars().take(40).collect();
    Refusal::Option {
        name: short(name),
        value: short(value),
        why,
    }
}
