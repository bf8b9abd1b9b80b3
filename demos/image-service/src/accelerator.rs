//! The engine as the service uses it: plug, unplug, kill, and one view of everything.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hotsled::{DeviceStatus, Engine, Offload, PlugOptions, SectionStatus, Status};

use crate::Refusal;
use crate::events::Entry;
use crate::view::{DeviceView, SectionView};

/// How devices come.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    /// The control socket for the `hotsled` command.
    pub control: Control,
    /// A socket at which device hosts connect by themselves.
    pub socket: Option<PathBuf>,
    /// The device host program; default: `hotsled-device` beside this program, else on the PATH.
    pub program: Option<PathBuf>,
    /// Arguments that stand before the program's own; only with `program`.
    pub arguments: Vec<OsString>,
    /// Signals that plug a device and unplug all.
    pub signals: Option<(i32, i32)>,
    /// One device chunk in so many is checked on the CPU; 0: none.
    pub verify: u64,
    /// Only calls that repay it go to devices; otherwise all that can, since a demonstration is there to show
    /// devices, and the simulated one computes on the cores that it would relieve.
    pub measured: bool,
}

/// Where the control socket is.
#[derive(Clone, Debug, Default)]
pub enum Control {
    /// Nowhere.
    #[default]
    None,
    /// Where the `hotsled` command looks.
    Default,
    /// At a path.
    At(PathBuf),
}

/// The engine of this process.
pub struct Accelerator {
    engine: Engine,
    /// Milliseconds from the service's start to the engine's.
    offset_ms: u64,
}

/// The engine at one moment.
#[derive(Clone, Debug)]
pub struct EngineView {
    /// Live patching in a phrase.
    pub text: String,
    /// Devices that are here.
    pub devices: Vec<DeviceView>,
    /// Every section.
    pub sections: Vec<SectionView>,
    /// The latest events, oldest first.
    pub events: Vec<Entry>,
    /// The engine's own words.
    pub status: Status,
}

impl Accelerator {
    /// Starts the engine; `start` is when the service began.
    ///
    /// # Errors
    /// As [`hotsled::Builder::start`].
    pub fn start(devices: &Devices, start: Instant) -> hotsled::Result<Self> {
        let offset_ms = start.elapsed().as_millis() as u64;
        let offload = match devices.measured {
            true => Offload::Measured,
            false => Offload::Always,
        };
        let mut builder = Engine::builder().verify(devices.verify).offload(offload);
        builder = match &devices.control {
            Control::None => builder,
            Control::Default => builder.default_control_socket(),
            Control::At(path) => builder.control_socket(path),
        };
        if let Some(path) = &devices.socket {
            builder = builder.device_socket(path);
        }
        if let Some(program) = &devices.program {
            builder = builder.device_program(program, devices.arguments.clone());
        }
        if let Some((plug, unplug)) = devices.signals {
            builder = builder.on_signals(plug, unplug);
        }
        let engine = builder.start()?;
        Ok(Self { engine, offset_ms })
    }

    /// Plugs a simulated accelerator; returns a sentence.
    ///
    /// # Errors
    /// Why it was refused, and what to do.
    pub fn plug(&self) -> Result<String, Refusal> {
        self.plug_with(Vec::new())
    }

    /// As [`Self::plug`], with further arguments of the device host program.
    ///
    /// # Errors
    /// As [`Self::plug`].
    pub fn plug_with(&self, arguments: Vec<String>) -> Result<String, Refusal> {
        let options = PlugOptions {
            arguments,
            ..PlugOptions::default()
        };
        let name = self.engine.plug(options).map_err(refuse)?;
        Ok(format!("{name} is bound."))
    }

    /// Unplugs every device in good order; returns a sentence.
    ///
    /// # Errors
    /// No device, or threads that did not leave it in time.
    pub fn unplug(&self) -> Result<String, Refusal> {
        if self.engine.status().devices.is_empty() {
            return Err(Refusal::Device("There is no device to unplug.".into()));
        }
        self.engine.unplug(None).map_err(refuse)?;
        Ok("What was in flight is finished; no device is left.".into())
    }

    /// Kills the host of the latest device with SIGKILL; returns a sentence.
    ///
    /// # Errors
    /// No device whose host is our child.
    pub fn kill(&self) -> Result<String, Refusal> {
        let devices = self.engine.status().devices;
        let Some(device) = devices.iter().rev().find(|d| d.host_pid.is_some()) else {
            return Err(Refusal::Device("There is no device to kill.".into()));
        };
        self.engine.kill(&device.name).map_err(refuse)?;
        Ok(format!("The host of {} was killed.", device.name))
    }

    /// As [`Self::kill`], as soon as the device is seen at work (two seconds at most).
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn kill_at_work(&self) -> Result<String, Refusal> {
        let deadline = Instant::now() + Duration::from_secs(2);
        let before = self.chunks();
        while self.chunks() == before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(200));
        }
        self.kill()
    }

    fn chunks(&self) -> u64 {
        let devices = self.engine.status().devices;
        devices.iter().map(|device| device.work().0).sum()
    }

    /// Everything at this moment.
    pub fn view(&self) -> EngineView {
        let status = self.engine.status();
        let events = status.events.iter();
        EngineView {
            text: text(&status),
            devices: status.devices.iter().map(device).collect(),
            sections: status.sections.iter().map(section).collect(),
            events: events
                .map(|event| Entry::new(event, self.offset_ms))
                .collect(),
            status,
        }
    }
}

impl EngineView {
    /// Whether a device is bound.
    pub fn bound(&self) -> bool {
        self.devices.iter().any(|device| device.state == "bound")
    }
}

fn text(status: &Status) -> String {
    let switches = status.events.iter().filter(|e| e.sites_patched > 0).count();
    let plural = if switches == 1 { "" } else { "es" };
    format!("live patching {}, {switches} switch{plural}", status.engine)
}

fn device(device: &DeviceStatus) -> DeviceView {
    let (chunks, bytes_in, bytes_out) = device.work();
    let mut text = match &device.reason {
        Some(reason) => format!("{reason}; "),
        None => String::new(),
    };
    text += &format!(
        "{} MiB of memory, {chunks} chunks, {} MiB moved",
        device.memory >> 20,
        (bytes_in + bytes_out) >> 20
    );
    if let Some((section, reason)) = device.refused_sections.first() {
        let more = device.refused_sections.len() - 1;
        text += &format!("; does not run {section} ({reason}) and {more} more");
    }
    DeviceView {
        name: device.name.clone(),
        state: device.state.clone(),
        simulated: device.simulated,
        pid: device.host_pid,
        text,
    }
}

fn section(section: &SectionStatus) -> SectionView {
    let name = section.path.rsplit("::").next().unwrap_or(&section.path);
    SectionView {
        name: name.to_owned(),
        place: section.place.clone(),
        why: section.why.clone(),
        calls_cpu: section.counts.calls_cpu,
        calls_device: section.counts.calls_device,
        chunks_replayed: section.counts.chunks_replayed,
        bytes_in: section.counts.bytes_in,
        bytes_out: section.counts.bytes_out,
    }
}

/// The engine's error as a sentence.
fn refuse(error: hotsled::Error) -> Refusal {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    let text: String = first.into_iter().chain(letters).collect();
    Refusal::Device(format!("{}.", text.trim_end_matches('.')))
}
