//! Speaks to a running service over its control socket.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hotsled::client::{Client, ClientError};
use hotsled::{DeviceKind, PlugOptions};

/// What a running service can be asked.
#[derive(Subcommand)]
pub enum Action {
    /// Shows devices, and where each section runs and why
    Status(Service),
    /// Plugs a device: a simulated accelerator, unless told otherwise
    Plug {
        /// What to plug
        #[arg(long, value_enum, default_value_t = Kind::Sim)]
        kind: Kind,
        /// Its name; default: the kind and a number
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        service: Service,
        /// Further arguments of the device host program, after `--`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Unplugs a device, or all of them
    Unplug {
        /// The device's name, as status shows it
        device: Option<String>,
        #[command(flatten)]
        service: Service,
    },
}

/// Kind of device.
#[derive(Clone, Copy, ValueEnum)]
pub enum Kind {
    /// The simulated accelerator
    Sim,
    /// A Vulkan device; `-- --device N` chooses which
    Vulkan,
    /// An NVIDIA device through the CUDA driver; `-- --device N` chooses which
    Cuda,
}

impl From<Kind> for DeviceKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Sim => Self::Sim,
            Kind::Vulkan => Self::Vulkan,
            Kind::Cuda => Self::Cuda,
        }
    }
}

/// Which service, and how to answer.
#[derive(Args)]
pub struct Service {
    /// Its control socket; default: the only one of this user
    #[arg(long)]
    socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Service {
    fn client(&self) -> Result<Client, ClientError> {
        self.socket
            .as_ref()
            .map_or_else(Client::find, |path| Ok(Client::at(path)))
    }

    fn say(&self, text: &str, json: &str) {
        if self.json {
            println!("{json}");
        } else {
            println!("{text}");
        }
    }
}

/// Asks, and prints the answer.
pub fn run(action: Action) -> Result<(), String> {
    ask(action).map_err(|error| error.to_string())
}

fn ask(action: Action) -> Result<(), ClientError> {
    match action {
        Action::Status(service) => {
            let status = service.client()?.status()?;
            service.say(&status.to_string(), &status.to_json());
        }
        Action::Plug {
            kind,
            name,
            service,
            arguments,
        } => {
            let options = PlugOptions {
                kind: kind.into(),
                name,
                arguments,
            };
            let device = service.client()?.plug(options)?;
            let json = serde_json::json!({ "device": device });
            service.say(&format!("plugged {device}"), &json.to_string());
        }
        Action::Unplug { device, service } => {
            service.client()?.unplug(device.clone())?;
            let text = match &device {
                Some(name) => format!("unplugged {name}"),
                None => "no device is plugged any more".to_owned(),
            };
            let json = serde_json::json!({ "unplugged": device });
            service.say(&text, &json.to_string());
        }
    }
    Ok(())
}
