//! Clients: threads that send the photograph over loopback HTTP and compare every answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use image_service::{Filter, Picture, Refusal, reference};

use crate::answers::{Answer, Verdict, judge};

/// A filter and the answer it must give.
pub struct Task {
    /// Name of the filter.
    pub name: &'static str,
    reference: Picture,
    reference_png: Vec<u8>,
}

/// Everything a client needs.
pub struct Work {
    address: SocketAddr,
    start: Instant,
    photograph: Vec<u8>,
    /// One for each filter.
    pub tasks: Vec<Task>,
    stop: AtomicBool,
    /// Requests ended so far.
    pub done: AtomicU64,
}

/// Running clients.
pub struct Clients(Vec<JoinHandle<Vec<Answer>>>);

impl Work {
    /// Computes what every filter must answer for `photograph`.
    ///
    /// # Errors
    /// The photograph is not a picture that the service takes.
    pub fn new(address: SocketAddr, start: Instant, photograph: Vec<u8>) -> Result<Self, Refusal> {
        let picture = Picture::decode(&photograph)?;
        Ok(Self {
            address,
            start,
            tasks: references(&picture)?,
            photograph,
            stop: AtomicBool::new(false),
            done: AtomicU64::new(0),
        })
    }

    /// Sends one request; returns how it ended and what came back.
    pub fn ask(&self, agent: &ureq::Agent, task: &Task) -> (Answer, Vec<u8>) {
        let (verdict, body) = match self.send(agent, task.name) {
            Err(error) => (Verdict::Lost(error.to_string()), Vec::new()),
            Ok((200, body)) => (judge(&body, &task.reference, &task.reference_png), body),
            Ok((status, body)) => {
                let text = String::from_utf8_lossy(&body);
                (
                    Verdict::Failed(format!("{status}: {}", text.trim())),
                    Vec::new(),
                )
            }
        };
        self.done.fetch_add(1, Relaxed);
        let at_ms = self.start.elapsed().as_secs_f64() * 1000.0;
        (Answer { at_ms, verdict }, body)
    }

    fn send(&self, agent: &ureq::Agent, filter: &str) -> Result<(u16, Vec<u8>), ureq::Error> {
        let url = format!("http://{}/filter/{filter}", self.address);
        let mut response = agent.post(url).send(&self.photograph[..])?;
        let body = response.body_mut().with_config().limit(1 << 28);
        let body = body.read_to_vec()?;
        Ok((response.status().as_u16(), body))
    }

    fn run(&self, first: usize) -> Vec<Answer> {
        let agent = agent();
        let mut answers = Vec::new();
        for turn in first.. {
            if self.stop.load(Relaxed) {
                break;
            }
            let task = &self.tasks[turn % self.tasks.len()];
            answers.push(self.ask(&agent, task).0);
        }
        answers
    }
}

/// A client's connections.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .new_agent()
}

fn references(picture: &Picture) -> Result<Vec<Task>, Refusal> {
    let threads = Filter::all().map(|filter| {
        let picture = picture.clone();
        std::thread::spawn(move || task(filter, &picture))
    });
    threads
        .into_iter()
        .map(|thread| thread.join().expect("the reference does not panic"))
        .collect()
}

fn task(filter: Filter, picture: &Picture) -> Result<Task, Refusal> {
    let reference = reference::run(filter, picture);
    Ok(Task {
        name: filter.name(),
        reference_png: reference.encode()?,
        reference,
    })
}

impl Clients {
    /// Starts `count` clients.
    pub fn start(work: &Arc<Work>, count: u16) -> Self {
        let client = |first: u16| {
            let work = work.clone();
            std::thread::spawn(move || work.run(usize::from(first)))
        };
        Self((0..count).map(client).collect())
    }

    /// Lets every client finish its request; returns all answers by time.
    pub fn stop(self, work: &Work) -> Vec<Answer> {
        work.stop.store(true, Relaxed);
        let threads = self.0.into_iter();
        let mut answers: Vec<Answer> = threads
            .flat_map(|thread| thread.join().expect("a client does not panic"))
            .collect();
        answers.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        answers
    }
}
