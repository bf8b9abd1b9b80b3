//! How many filters run at once, and how many requests wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Refusal;

/// Most requests that wait; one more is refused at once.
const MAX_WAITING: usize = 256;

/// Bounds what runs and what waits.
#[derive(Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Gives a waiting place back.
struct Place<'a>(&'a AtomicUsize);

impl Gate {
    /// Lets `running` filters run at once.
    pub fn new(running: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(running)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if too many wait already.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let _place = self.wait()?;
        let permit = self.permits.clone().acquire_owned().await;
        permit.map_err(|_| Refusal::Busy)
    }

    fn wait(&self) -> Result<Place<'_>, Refusal> {
        let place = Place(&self.waiting);
        match self.waiting.fetch_add(1, Relaxed) {
            MAX_WAITING.. => Err(Refusal::Busy),
            _ => Ok(place),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_too_many_is_refused_and_places_come_back() {
        let gate = Arc::new(Gate::new(1));
        let first = gate.enter().await.unwrap();
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                tokio::spawn({
                    let gate = gate.clone();
                    async move { gate.enter().await.map(drop) }
                })
            })
            .collect();
        while gate.waiting.load(Relaxed) < MAX_WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.enter().await.map(drop), Err(Refusal::Busy));
        drop(first);
        for task in waiting {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        assert_eq!(gate.waiting.load(Relaxed), 0);
    }
}
