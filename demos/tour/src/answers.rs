//! What came back for every request, and what is wrong with it.

use image_service::Picture;

/// One request, ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// When it ended, in milliseconds since the service started.
    pub at_ms: f64,
    /// How it ended.
    pub verdict: Verdict,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The reference's picture, pixel for pixel.
    Right,
    /// A picture that differs.
    Wrong(String),
    /// No whole answer.
    Lost(String),
    /// An answer that is not 200.
    Failed(String),
}

/// How many requests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests sent.
    pub requests: u64,
    /// Answers that differ from the reference.
    pub wrong: u64,
    /// Requests without a whole answer.
    pub lost: u64,
    /// Answers that are not 200.
    pub failed: u64,
}

impl Tally {
    /// Counts answers.
    pub fn of<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> Self {
        let mut tally = Self::default();
        for answer in answers {
            tally.requests += 1;
            match answer.verdict {
                Verdict::Right => {}
                Verdict::Wrong(_) => tally.wrong += 1,
                Verdict::Lost(_) => tally.lost += 1,
                Verdict::Failed(_) => tally.failed += 1,
            }
        }
        tally
    }

    /// Whether every request got the right answer, and there was one.
    pub fn clean(self) -> bool {
        self.requests > 0 && self.wrong + self.lost + self.failed == 0
    }
}

/// Compares an answer with the reference. Equal pictures have equal bytes: one encoder made both.
pub fn judge(body: &[u8], reference: &Picture, reference_png: &[u8]) -> Verdict {
    if body == reference_png {
        return Verdict::Right;
    }
    match Picture::decode(body) {
        Err(error) => Verdict::Lost(error.to_string()),
        Ok(picture) if picture == *reference => Verdict::Right,
        Ok(picture) => Verdict::Wrong(difference(&picture, reference)),
    }
}

fn difference(picture: &Picture, reference: &Picture) -> String {
    let pairs = || picture.pixels().iter().zip(reference.pixels());
    let differing = pairs().filter(|(a, b)| a != b).count();
    let first = pairs().position(|(a, b)| a != b);
    format!(
        "{differing} of {} values differ, the first at {first:?}",
        reference.pixels().len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(last: u8) -> Picture {
        Picture::from_planes(2, 2, vec![1, 2, 3, last])
    }

    #[test]
    fn one_wrong_value_is_wrong() {
        let (reference, png) = (picture(4), picture(4).encode().unwrap());
        assert_eq!(judge(&png, &reference, &png), Verdict::Right);
        let other = picture(5).encode().unwrap();
        let verdict = judge(&other, &reference, &png);
        assert_eq!(
            verdict,
            Verdict::Wrong("1 of 4 values differ, the first at Some(3)".into())
        );
        assert!(matches!(
            judge(&png[..20], &reference, &png),
            Verdict::Lost(_)
        ));
    }

    #[test]
    fn nothing_done_is_not_clean() {
        assert!(!Tally::default().clean());
        let answer = |verdict| Answer {
            at_ms: 0.0,
            verdict,
        };
        let mut answers = vec![answer(Verdict::Right)];
        assert!(Tally::of(&answers).clean());
        answers.push(answer(Verdict::Failed(String::new())));
        assert_eq!(Tally::of(&answers).failed, 1);
        assert!(!Tally::of(&answers).clean());
    }
}
