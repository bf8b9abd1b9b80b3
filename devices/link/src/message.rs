//! Control messages and their bytes.
//!
//! A message is one packet: a tag byte, then its fields; integers little-endian, text and bytes with a
//! 32-bit length in front. Nothing may follow the last field.

use crate::LinkError;

/// Version both ends must speak; the first field of the first message.
pub const PROTOCOL_VERSION: u16 = 2;
/// Longest valid packet.
pub(crate) const MAX_PACKET: usize = 128 << 10;

/// A module in a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModuleId(pub u32);

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Name for people.
    pub name: String,
    /// Kind of device, for people.
    pub kind: String,
    /// Whether its figures are simulated.
    pub simulated: bool,
    /// Whether it accepts operations that are not exact on it.
    pub bounded: bool,
    /// Memory in bytes.
    pub memory: u64,
    /// Modelled or measured link bandwidth in bytes per second; 0 if unknown.
    pub bandwidth: u64,
    /// Modelled or measured latency of a command in nanoseconds.
    pub latency_ns: u64,
}

/// Everything that crosses the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Host to engine, first: who I am.
    Hello(u16, DeviceInfo),
    /// Engine to host, with the shared file: staging bytes.
    Welcome(u16, u64),
    /// Engine to host: lower this module.
    Lower(u32, Vec<u8>),
    /// Host to engine: lowered, in so many microseconds.
    Lowered(u32, ModuleId, u64),
    /// Host to engine: cannot be lowered.
    Refused(u32, String),
    /// Host to engine: please unplug me.
    Leave,
    /// Engine to host: the link ends in good order.
    Goodbye,
    /// Host to engine: goodbye, too.
    Farewell,
}

impl Message {
    /// Its packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Hello(version, info) => {
                out.push(1);
                out.extend(version.to_le_bytes());
                bytes(&mut out, info.name.as_bytes());
                bytes(&mut out, info.kind.as_bytes());
                out.push(u8::from(info.simulated));
                out.push(u8::from(info.bounded));
                let figures = [info.memory, info.bandwidth, info.latency_ns];
                out.extend(figures.into_iter().flat_map(u64::to_le_bytes));
            }
            Self::Welcome(version, staging) => {
                out.push(2);
                out.extend(version.to_le_bytes());
                out.extend(staging.to_le_bytes());
            }
            Self::Lower(key, module) => {
                out.push(3);
                out.extend(key.to_le_bytes());
                bytes(&mut out, module);
            }
            Self::Lowered(key, module, micros) => {
                out.push(4);
                out.extend(key.to_le_bytes());
                out.extend(module.0.to_le_bytes());
                out.extend(micros.to_le_bytes());
            }
            Self::Refused(key, reason) => {
                out.push(5);
                out.extend(key.to_le_bytes());
                bytes(&mut out, reason.as_bytes());
            }
            Self::Leave => out.push(6),
            Self::Goodbye => out.push(7),
            Self::Farewell => out.push(8),
        }
        out
    }

    /// Reads a packet.
    ///
    /// # Errors
    /// [`LinkError::Version`] for a greeting of another version, else [`LinkError::Garbage`].
    pub fn decode(packet: &[u8]) -> Result<Self, LinkError> {
        let mut input = Input(packet);
        let message = match input.number::<1>()? {
            1 => Self::Hello(input.version()?, input.info()?),
            2 => Self::Welcome(input.version()?, input.number::<8>()?),
            3 => Self::Lower(input.word()?, input.bytes()?.to_vec()),
            4 => Self::Lowered(input.word()?, ModuleId(input.word()?), input.number::<8>()?),
            5 => Self::Refused(input.word()?, input.text()?),
            6 => Self::Leave,
            7 => Self::Goodbye,
            8 => Self::Farewell,
            tag => return Err(LinkError::garbage(format!("message tag {tag}"))),
        };
        if input.0.is_empty() {
            Ok(message)
        } else {
            Err(LinkError::garbage("bytes after a message"))
        }
    }
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], LinkError> {
        let (taken, rest) = self
            .0
            .split_at_checked(n)
            .ok_or_else(|| LinkError::garbage("a message cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<u64, LinkError> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(self.take(N)?);
        Ok(u64::from_le_bytes(wide))
    }

    fn word(&mut self) -> Result<u32, LinkError> {
        Ok(self.number::<4>()? as u32)
    }

    fn version(&mut self) -> Result<u16, LinkError> {
        let theirs = self.number::<2>()? as u16;
        if theirs == PROTOCOL_VERSION {
            return Ok(theirs);
        }
        Err(LinkError::Version {
            theirs,
            ours: PROTOCOL_VERSION,
        })
    }

    fn bytes(&mut self) -> Result<&'a [u8], LinkError> {
        let len = self.word()? as usize;
        self.take(len)
    }

    fn text(&mut self) -> Result<String, LinkError> {
        String::from_utf8(self.bytes()?.to_vec())
            .map_err(|_| LinkError::garbage("text that is not UTF-8"))
    }

    fn info(&mut self) -> Result<DeviceInfo, LinkError> {
        Ok(DeviceInfo {
            name: self.text()?,
            kind: self.text()?,
            simulated: self.number::<1>()? != 0,
            bounded: self.number::<1>()? != 0,
            memory: self.number::<8>()?,
            bandwidth: self.number::<8>()?,
            latency_ns: self.number::<8>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message() -> impl Strategy<Value = Message> {
        let info = (".{0,20}", ".{0,20}", any::<[bool; 2]>(), any::<[u64; 3]>()).prop_map(
            |(name, kind, [simulated, bounded], n)| DeviceInfo {
                name,
                kind,
                simulated,
                bounded,
                memory: n[0],
                bandwidth: n[1],
                latency_ns: n[2],
            },
        );
        prop_oneof![
            info.prop_map(|info| Message::Hello(PROTOCOL_VERSION, info)),
            any::<u64>().prop_map(|n| Message::Welcome(PROTOCOL_VERSION, n)),
            (any::<u32>(), any::<Vec<u8>>()).prop_map(|(k, m)| Message::Lower(k, m)),
            any::<(u32, u32, u64)>().prop_map(|(k, m, us)| Message::Lowered(k, ModuleId(m), us)),
            (any::<u32>(), ".{0,40}").prop_map(|(k, r)| Message::Refused(k, r)),
            Just(Message::Leave),
            Just(Message::Goodbye),
            Just(Message::Farewell),
        ]
    }

    proptest! {
        #[test]
        fn packets_round_trip(message in message()) {
            prop_assert_eq!(Message::decode(&message.encode()).unwrap(), message);
        }

        #[test]
        fn cut_and_lengthened_packets_are_garbage(message in message(), cut in 1usize..8) {
            let packet = message.encode();
            prop_assert!(Message::decode(&packet[..packet.len().saturating_sub(cut)]).is_err());
            prop_assert!(Message::decode(&[&packet[..], &[0]].concat()).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_panic(packet in any::<Vec<u8>>()) {
            let _ = Message::decode(&packet);
        }
    }

    #[test]
    fn another_version_is_named() {
        let packet = Message::Welcome(PROTOCOL_VERSION + 1, 0).encode();
        assert!(matches!(
            Message::decode(&packet),
            Err(LinkError::Version { theirs, ours }) if theirs == ours + 1
        ));
    }
}
