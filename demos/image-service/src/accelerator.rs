//! The engine as the service uses it.
use crate::Refusal;
use crate::journal::Journal;
use crate::view::{DeviceView, SectionView};
use std::sync::Arc;
use std::time::Instant;

#[derive(Clone, Debug, Default)]
pub struct Devices {
    pub control: Option<std::path::PathBuf>,
    pub program: Option<std::path::PathBuf>,
    pub arguments: Vec<std::ffi::OsString>,
}
pub struct Accelerator;
pub struct EngineView {
    pub text: String,
    pub devices: Vec<DeviceView>,
    pub sections: Vec<SectionView>,
    pub status: serde_json::Value,
}
impl Accelerator {
    pub fn start(_: &Devices, _: Arc<Journal>, _: Instant) -> Result<Self, std::io::Error> {
        Ok(Self)
    }
    pub fn view(&self) -> EngineView {
        EngineView {
            text: "off".into(),
            devices: vec![],
            sections: vec![],
            status: serde_json::Value::Null,
        }
    }
    pub fn plug(&self) -> Result<String, Refusal> {
        Err(Refusal::Device("No accelerator can be plugged yet.".into()))
    }
    pub fn plug_with(&self, _: Vec<std::ffi::OsString>) -> Result<String, Refusal> {
        Err(Refusal::Device("No accelerator can be plugged yet.".into()))
    }
    pub fn kill_at_work(&self) -> Result<String, Refusal> {
        self.kill()
    }
    pub fn unplug(&self) -> Result<String, Refusal> {
        Err(Refusal::Device("No accelerator can be plugged yet.".into()))
    }
    pub fn kill(&self) -> Result<String, Refusal> {
        Err(Refusal::Device("No accelerator can be plugged yet.".into()))
    }
}
impl EngineView {
    /// Whether a device is bound.
    pub fn bound(&self) -> bool {
        self.devices.iter().any(|device| device.state == "bound")
    }
}
