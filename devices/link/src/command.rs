//! Device primitives as they stand in the submission ring.

use crate::{LinkError, ModuleId};

/// An address in a device's memory; never a host address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DevicePtr(pub u64);

/// A place in the order of submissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub u64);

/// Most arguments of a launch.
pub const MAX_ARGS: usize = 28;
/// Bytes of a command.
pub(crate) const COMMAND_LEN: usize = 1024;
const ARG_WORDS: usize = 4;
const HEAD_WORDS: usize = 8;
const _: () = assert!((HEAD_WORDS + MAX_ARGS * ARG_WORDS) * 8 <= COMMAND_LEN);

/// One argument of a launch, in parameter order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchArg {
    /// Bits of a scalar.
    Scalar(u64),
    /// Part of a slice in device memory.
    Slice {
        /// Where element `first` lies.
        ptr: DevicePtr,
        /// Elements of the whole slice.
        len: u64,
        /// First element that is there.
        first: u64,
        /// Elements that are there.
        count: u64,
    },
}

/// Runs a module over `base..end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// What to run.
    pub module: ModuleId,
    /// First index.
    pub base: u64,
    /// One past the last index.
    pub end: u64,
    /// Arguments.
    pub args: Vec<LaunchArg>,
}

/// One entry of the submission ring; entries take effect in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Answered with an address, or 0 when full.
    Alloc {
        /// Place in the order.
        ticket: Fence,
        /// Size.
        bytes: u64,
    },
    /// Gives memory back.
    Free(DevicePtr),
    /// Staging to device.
    CopyIn {
        /// Offset in staging.
        staging: u64,
        /// Where to.
        ptr: DevicePtr,
        /// How much.
        bytes: u64,
    },
    /// Device to staging.
    CopyOut {
        /// Where from.
        ptr: DevicePtr,
        /// Offset in staging.
        staging: u64,
        /// How much.
        bytes: u64,
    },
    /// Runs a module.
    Launch(Launch),
    /// Answered with the status of everything since the fence before.
    Fence(Fence),
}

impl Command {
    /// Its ring entry.
    ///
    /// # Errors
    /// [`LinkError::Unfit`] for a launch of more than [`MAX_ARGS`] arguments.
    pub(crate) fn encode(&self) -> Result<Vec<u64>, LinkError> {
        Ok(match self {
            Self::Alloc { ticket, bytes } => vec![1, ticket.0, *bytes],
            Self::Free(ptr) => vec![2, ptr.0],
            Self::CopyIn {
                staging,
                ptr,
                bytes,
            } => vec![3, *staging, ptr.0, *bytes],
            Self::CopyOut {
                ptr,
                staging,
                bytes,
            } => vec![4, *staging, ptr.0, *bytes],
            Self::Launch(launch) => launch_words(launch)?,
            Self::Fence(fence) => vec![6, fence.0],
        })
    }

    /// Reads a ring entry that was copied out of shared memory.
    ///
    /// # Errors
    /// [`LinkError::Garbage`] for what no correct engine writes.
    pub(crate) fn decode(words: &[u64; COMMAND_LEN / 8]) -> Result<Self, LinkError> {
        Ok(match words[0] {
            1 => Self::Alloc {
                ticket: Fence(words[1]),
                bytes: words[2],
            },
            2 => Self::Free(DevicePtr(words[1])),
            3 => Self::CopyIn {
                staging: words[1],
                ptr: DevicePtr(words[2]),
                bytes: words[3],
            },
            4 => Self::CopyOut {
                staging: words[1],
                ptr: DevicePtr(words[2]),
                bytes: words[3],
            },
            5 => Self::Launch(launch(words)?),
            6 => Self::Fence(Fence(words[1])),
            op => return Err(LinkError::garbage(format!("command {op}"))),
        })
    }
}

fn launch_words(launch: &Launch) -> Result<Vec<u64>, LinkError> {
    if launch.args.len() > MAX_ARGS {
        return Err(LinkError::Unfit {
            what: "a launch of more than 28 arguments",
        });
    }
    let mut words = vec![
        5,
        u64::from(launch.module.0),
        launch.base,
        launch.end,
        launch.args.len() as u64,
    ];
    words.resize(HEAD_WORDS, 0);
    for arg in &launch.args {
        words.extend(match *arg {
            // The kinds differ in `count`: a slice's is stated plus one, so that 0 marks a scalar.
            LaunchArg::Scalar(bits) => [bits, 0, 0, 0],
            LaunchArg::Slice {
                ptr,
                len,
                first,
                count,
            } => [ptr.0, len, first, count.wrapping_add(1)],
        });
    }
    Ok(words)
}

fn launch(words: &[u64; COMMAND_LEN / 8]) -> Result<Launch, LinkError> {
    let count = usize::try_from(words[4]).ok().filter(|&n| n <= MAX_ARGS);
    let count = count.ok_or_else(|| LinkError::garbage("argument count of a launch"))?;
    let module = u32::try_from(words[1]).map_err(|_| LinkError::garbage("module number"))?;
    let (args, _) = words[HEAD_WORDS..].as_chunks::<ARG_WORDS>();
    let arg = |w: &[u64; ARG_WORDS]| match *w {
        [bits, _, _, 0] => LaunchArg::Scalar(bits),
        [ptr, len, first, count] => LaunchArg::Slice {
            ptr: DevicePtr(ptr),
            len,
            first,
            count: count - 1,
        },
    };
    Ok(Launch {
        module: ModuleId(module),
        base: words[2],
        end: words[3],
        args: args[..count].iter().map(arg).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(command: &Command) -> Command {
        let mut words = [0; COMMAND_LEN / 8];
        let encoded = command.encode().unwrap();
        words[..encoded.len()].copy_from_slice(&encoded);
        Command::decode(&words).unwrap()
    }

    #[test]
    fn entries_round_trip() {
        let slice = LaunchArg::Slice {
            ptr: DevicePtr(9),
            len: 100,
            first: 10,
            count: 0,
        };
        let args = [LaunchArg::Scalar(u64::MAX), slice].repeat(MAX_ARGS / 2);
        let launch = Launch {
            module: ModuleId(3),
            base: 10,
            end: 20,
            args,
        };
        for command in [
            Command::Alloc {
                ticket: Fence(1),
                bytes: 2,
            },
            Command::Free(DevicePtr(3)),
            Command::CopyIn {
                staging: 1,
                ptr: DevicePtr(2),
                bytes: 3,
            },
            Command::CopyOut {
                ptr: DevicePtr(2),
                staging: 1,
                bytes: 3,
            },
            Command::Launch(launch),
            Command::Fence(Fence(7)),
        ] {
            assert_eq!(round_trip(&command), command);
        }
    }

    #[test]
    fn nonsense_is_garbage() {
        let mut words = [0; COMMAND_LEN / 8];
        assert!(matches!(
            Command::decode(&words),
            Err(LinkError::Garbage { .. })
        ));
        (words[0], words[4]) = (5, MAX_ARGS as u64 + 1);
        assert!(matches!(
            Command::decode(&words),
            Err(LinkError::Garbage { .. })
        ));
    }
}
