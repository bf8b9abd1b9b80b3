//! The story itself: phase by phase, under load.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use image_service::{Config, Control, Devices, EngineView, Entry, Kind, Service};
use serde::Serialize;

use crate::answers::Answer;
use crate::load::{Clients, Work};
use crate::options::Options;
use crate::report::Report;
use crate::sampler::{Sample, Sampler};
use crate::{DEVICE_HOST, pictures, table, timeline};

/// A stretch of the story.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Name, as in the names of the pictures.
    pub name: &'static str,
    /// When it began, in milliseconds since the service started.
    pub from_ms: f64,
    /// When it ended.
    pub to_ms: f64,
    /// Requests answered in it.
    pub requests: u64,
}

/// All that happened.
pub struct Told {
    /// The phases in order.
    pub phases: Vec<Phase>,
    /// Every request, by time.
    pub answers: Vec<Answer>,
    /// Plugs, unplugs, losses and refusals in order.
    pub events: Vec<Entry>,
    /// Where the sections ran.
    pub samples: Vec<Sample>,
    /// The engine at the end.
    pub view: EngineView,
    /// What did not go as told.
    pub problems: Vec<String>,
}

/// What every phase needs.
struct Stage<'a> {
    service: Arc<Service>,
    work: Arc<Work>,
    out: &'a Path,
    seconds: f64,
    told: Told,
    printed: usize,
}

/// Tells the story and writes what the options ask for; returns whether all went well.
///
/// # Errors
/// The tour could not start, or a file could not be written.
pub fn tell(options: &Options) -> Result<bool, Box<dyn Error>> {
    create(&options.out)?;
    let photograph = read(options)?;
    let service = Arc::new(Service::start(config(options)?)?);
    println!(
        "Image service on http://{}; computing the reference ...",
        service.address()
    );
    let work = Arc::new(Work::new(service.address(), service.started(), photograph)?);
    let told = play(options, service, work)?;
    let report = Report::new(&told);
    let drawing = options.out.join("timeline.svg");
    write(&drawing, timeline::draw(&told, &report).as_bytes())?;
    let beside = options.out.join("report.json");
    let path = options.report.as_deref().unwrap_or(&beside);
    write(path, &serde_json::to_vec_pretty(&report)?)?;
    println!("{}", table::draw(&told, &report));
    println!("Pictures and {}, {}", drawing.display(), path.display());
    Ok(report.ok)
}

fn play(options: &Options, service: Arc<Service>, work: Arc<Work>) -> Result<Told, Box<dyn Error>> {
    let clients = Clients::start(&work, options.clients);
    let sampler = Sampler::start(&service);
    let mut stage = Stage {
        work: work.clone(),
        out: &options.out,
        seconds: options.seconds as f64,
        told: Told {
            phases: Vec::new(),
            answers: Vec::new(),
            events: Vec::new(),
            samples: Vec::new(),
            view: service.accelerator().view(),
            problems: Vec::new(),
        },
        service,
        printed: 0,
    };
    let played = stage.phases();
    stage.told.answers.extend(clients.stop(&work));
    stage.told.samples = sampler.stop();
    played?;
    stage.end()
}

impl Stage<'_> {
    fn phases(&mut self) -> Result<(), Box<dyn Error>> {
        self.phase("cpu", 0.15, true)?;
        self.plug(Vec::new());
        self.phase("device", 0.2, true)?;
        self.note(self.service.accelerator().unplug());
        self.phase("after-unplug", 0.15, true)?;
        self.plug(Vec::new());
        self.phase("device-again", 0.15, false)?;
        self.note(self.service.accelerator().kill_at_work());
        self.phase("after-kill", 0.2, true)?;
        self.plug(["--fault", "refuse-lowering"].map(str::to_owned).into());
        self.phase("refused", 0.15, false)
    }

    /// Lets the load run for a share of the time; keeps pictures of it if asked to.
    fn phase(&mut self, name: &'static str, share: f64, keep: bool) -> Result<(), Box<dyn Error>> {
        let (from, before) = (self.now(), self.work.done.load(Relaxed));
        println!("{:7.1} s  {name}", from / 1000.0);
        let end = Instant::now() + Duration::from_secs_f64(self.seconds * share);
        // Half of the phase first, so that the device has warmed up and the size is measured.
        self.watch(end - (end - Instant::now()) / 2);
        if keep {
            let answers = pictures::take(&self.work, self.out, name)?;
            self.told.answers.extend(answers);
        }
        self.watch(end);
        let requests = self.work.done.load(Relaxed) - before;
        self.told.phases.push(Phase {
            name,
            from_ms: from,
            to_ms: self.now(),
            requests,
        });
        println!("           {requests} answers");
        Ok(())
    }

    /// Waits, and prints events as they come.
    fn watch(&mut self, until: Instant) {
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.print_events();
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        self.print_events();
    }

    fn print_events(&mut self) {
        let events = self.service.events();
        for event in &events[self.printed.min(events.len())..] {
            println!("{:7.1} s  * {}", event.at_ms as f64 / 1000.0, event.text);
        }
        self.printed = events.len();
    }

    fn plug(&mut self, arguments: Vec<String>) {
        let refused = !arguments.is_empty();
        match (self.service.accelerator().plug_with(arguments), refused) {
            (Ok(_), false) | (Err(_), true) => {}
            (Ok(text), true) => self.problem(format!("A device that refuses was taken: {text}")),
            (Err(error), false) => self.problem(error.to_string()),
        }
    }

    fn note(&mut self, done: Result<String, image_service::Refusal>) {
        if let Err(error) = done {
            self.problem(error.to_string());
        }
    }

    fn problem(&mut self, text: String) {
        println!("           ! {text}");
        self.told.problems.push(text);
    }

    fn now(&self) -> f64 {
        self.service.started().elapsed().as_secs_f64() * 1000.0
    }

    fn end(mut self) -> Result<Told, Box<dyn Error>> {
        self.told.view = self.service.accelerator().view();
        let events = self.service.events().into_iter();
        self.told.events = events.filter(|event| event.kind != Kind::Note).collect();
        self.told
            .answers
            .sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        let service = Arc::into_inner(self.service).ok_or("the service is still in use")?;
        if !service.stop().1 {
            self.told
                .problems
                .push("The service did not drain in time.".into());
        }
        Ok(self.told)
    }
}

fn config(options: &Options) -> Result<Config, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    Ok(Config {
        listen: ([127, 0, 0, 1], 0).into(),
        concurrency: usize::from(options.clients),
        devices: Devices {
            control: Control::Default,
            program: Some(own),
            arguments: vec![DEVICE_HOST.into()],
            ..Devices::default()
        },
    })
}

fn read(options: &Options) -> Result<Vec<u8>, Box<dyn Error>> {
    match &options.image {
        None => Ok(image_service::SAMPLE.to_vec()),
        Some(path) => std::fs::read(path)
            .map_err(|error| format!("--image {}: {error}", path.display()).into()),
    }
}

fn create(folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("--out {}: {error}", folder.display()).into())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()).into())
}
