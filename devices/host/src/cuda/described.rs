//! What a device says of itself, and whether it can be driven.

use std::ffi::{c_char, c_int};
use std::fmt;

use super::driver::Driver;
use super::error::CudaError;
use crate::ptx::BASE_ARCHITECTURE;

/// Numbers of `CUdevice_attribute`.
const INTEGRATED: c_int = 18;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;
const NAME_BYTES: usize = 256;

/// One device.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Described {
    #[serde(skip)]
    pub(super) device: c_int,
    /// Its name.
    pub name: String,
    /// Whether it shares the host's memory.
    pub integrated: bool,
    /// Compute capability, as in `sm_90`: 90.
    pub architecture: u32,
    /// Version of the CUDA API that the driver has, as in 12.4: 12040.
    pub api: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Device and driver, as caches tell them apart.
    #[serde(skip)]
    pub(super) identity: Vec<u8>,
    /// Why it cannot be driven.
    pub unfit: Option<String>,
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = (self.api / 1000, self.api % 1000 / 10);
        write!(
            f,
            "{}, sm_{}, CUDA {major}.{minor}, {} MiB",
            self.name,
            self.architecture,
            self.memory >> 20
        )?;
        match &self.unfit {
            Some(reason) => write!(f, "; cannot be driven: {reason}"),
            None => Ok(()),
        }
    }
}

/// Describes all devices.
pub(super) fn all(driver: &Driver) -> Result<Vec<Described>, CudaError> {
    let mut count = 0;
    // SAFETY: `count` is writable.
    let counted = unsafe { (driver.device_count)(&raw mut count) };
    driver.check("counting devices", counted)?;
    (0..count).map(|number| describe(driver, number)).collect()
}

fn describe(driver: &Driver, number: c_int) -> Result<Described, CudaError> {
    let (mut device, mut memory, mut uuid, mut api) = (0, 0, [0; 16], 0);
    // SAFETY: `device` is writable.
    let found = unsafe { (driver.device)(&raw mut device, number) };
    driver.check("finding a device", found)?;
    // SAFETY: `memory` is writable; the device is there.
    let asked = unsafe { (driver.device_memory)(&raw mut memory, device) };
    driver.check("asking for a device's memory", asked)?;
    // SAFETY: `uuid` is writable and of the driver's length.
    let asked = unsafe { (driver.device_uuid)(&raw mut uuid, device) };
    driver.check("asking for a device's identity", asked)?;
    // SAFETY: `api` is writable.
    let asked = unsafe { (driver.driver_version)(&raw mut api) };
    driver.check("asking for the driver's version", asked)?;
    let attribute = |which| attribute(driver, device, which);
    let architecture = 10 * attribute(CAPABILITY_MAJOR)? + attribute(CAPABILITY_MINOR)?;
    Ok(Described {
        device,
        name: name(driver, device)?,
        integrated: attribute(INTEGRATED)? != 0,
        architecture,
        api: api.max(0) as u32,
        memory: memory as u64,
        identity: [&uuid[..], &api.to_le_bytes(), &architecture.to_le_bytes()].concat(),
        unfit: (architecture < BASE_ARCHITECTURE)
            .then(|| format!("it is older than sm_{BASE_ARCHITECTURE}")),
    })
}

fn attribute(driver: &Driver, device: c_int, which: c_int) -> Result<u32, CudaError> {
    let mut value = 0;
    // SAFETY: `value` is writable; the device is there.
    let asked = unsafe { (driver.device_attribute)(&raw mut value, which, device) };
    driver.check("asking for an attribute", asked)?;
    Ok(value.max(0) as u32)
}

fn name(driver: &Driver, device: c_int) -> Result<String, CudaError> {
    let mut bytes = [0_u8; NAME_BYTES];
    let start = bytes.as_mut_ptr().cast::<c_char>();
    // SAFETY: `bytes` is writable for the length that is told.
    let asked = unsafe { (driver.device_name)(start, NAME_BYTES as c_int, device) };
    driver.check("asking for a name", asked)?;
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(NAME_BYTES);
    Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
}
