//! The states of one presence of a device.

/// Where a presence stands; each presence is a new generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its host is started and greeted.
    Probing,
    /// Its host lowers every section.
    Lowering,
    /// Everything is lowered; nothing uses it yet.
    Ready,
    /// Sections are offered to it.
    Bound,
    /// Nobody enters any more; who is inside is waited for.
    Draining,
    /// Chunks in flight come home.
    Evacuating,
    /// It left in good order.
    Gone,
    /// It went without asking, hung, or could not be trusted.
    Lost(String),
    /// It was never used.
    Refused(String),
}

impl State {
    /// Whether a presence may go from `self` to `next`.
    ///
    /// ```text
    /// probing -> lowering -> ready -> bound -> draining -> evacuating -> gone
    ///    |          |          |        |         |            |
    ///    +----------+----------+--> refused       +----------> lost
    ///                                   bound --> lost
    /// ```
    pub fn may_become(&self, next: &State) -> bool {
        use State::*;
        matches!(
            (self, next),
            (Probing, Lowering)
                | (Lowering, Ready)
                | (Ready, Bound)
                | (Bound, Draining)
                | (Draining, Evacuating)
                | (Evacuating, Gone)
                | (Bound | Draining | Evacuating, Lost(_))
                | (Probing | Lowering | Ready, Refused(_))
        )
    }

    /// The word for people and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Probing => "probing",
            Self::Lowering => "lowering",
            Self::Ready => "ready",
            Self::Bound => "bound",
            Self::Draining => "draining",
            Self::Evacuating => "evacuating",
            Self::Gone => "gone",
            Self::Lost(_) => "lost",
            Self::Refused(_) => "refused",
        }
    }

    /// Why it was lost or refused.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Lost(reason) | Self::Refused(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether the presence is over.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Gone | Self::Lost(_) | Self::Refused(_))
    }
}

#[cfg(test)]
mod tests {
    use super::State::{self, *};

    fn all() -> Vec<State> {
        vec![
            Probing,
            Lowering,
            Ready,
            Bound,
            Draining,
            Evacuating,
            Gone,
            Lost("x".into()),
            Refused("x".into()),
        ]
    }

    #[test]
    fn only_the_drawn_transitions_exist() {
        let drawn = [
            ("probing", "lowering refused"),
            ("lowering", "ready refused"),
            ("ready", "bound refused"),
            ("bound", "draining lost"),
            ("draining", "evacuating lost"),
            ("evacuating", "gone lost"),
            ("gone", ""),
            ("lost", ""),
            ("refused", ""),
        ];
        for (state, (name, wanted)) in all().iter().zip(drawn) {
            let next: Vec<_> = all()
                .into_iter()
                .filter(|n| state.may_become(n))
                .map(|n| n.name())
                .collect();
            assert_eq!((state.name(), next.join(" ").as_str()), (name, wanted));
            assert_eq!(state.is_over(), wanted.is_empty());
        }
    }
}
