//! A device host as the engine sees it.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hotsled_ir::{ParamKind, Valid, encode, interp};
use hotsled_link::*;

/// A host process and the engine's end of its link; killed on drop.
pub struct Host {
    pub child: Child,
    pub client: Client,
}

impl Host {
    pub fn start(args: &[&str]) -> Result<Self, LinkError> {
        Self::start_within(args, Duration::from_secs(20))
    }

    pub fn start_within(args: &[&str], handshake: Duration) -> Result<Self, LinkError> {
        let (ours, theirs) = hotsled_sys::seqpacket::pair().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotsled-device"));
        command.args(args).args(["--link-fd", "3"]);
        let mut child = hotsled_sys::spawn::with_descriptor(command, theirs, 3).unwrap();
        let options = ClientOptions {
            handshake,
            ..ClientOptions::default()
        };
        match Client::accept(ours, &options) {
            Ok(client) => Ok(Self { child, client }),
            Err(error) => {
                let _ = (child.kill(), child.wait());
                Err(error)
            }
        }
    }

    pub fn lower(&self, module: &Valid) -> ModuleId {
        self.client
            .lower(1, &encode(module), Duration::from_secs(10))
            .unwrap()
            .module
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// Runs a module over `base..end` with whole slices, and returns the slices as the device left them.
pub fn run(
    queue: &mut Queue,
    module: ModuleId,
    kinds: &[ParamKind],
    args: &[interp::Arg],
    base: u64,
    end: u64,
) -> (Outcome, Vec<interp::Arg>) {
    let mut launch = Launch {
        module,
        base,
        end,
        args: vec![],
    };
    let mut buffers = Vec::new();
    for (arg, kind) in args.iter().zip(kinds) {
        match (arg, kind) {
            (interp::Arg::Scalar(value), _) => {
                launch.args.push(LaunchArg::Scalar(value.bits()));
                buffers.push(None);
            }
            (interp::Arg::Slice(bytes), kind) => {
                let e = kind.elem().expect("a slice");
                let size = bytes.len() as u64;
                let (ptr, block) = (queue.alloc(size).unwrap(), queue.reserve(size).unwrap());
                // SAFETY: `bytes` is readable for its length.
                unsafe { queue.write(&block, 0, bytes.as_ptr(), size) };
                queue.copy_in(&block, 0, ptr, size).unwrap();
                let len = size / e.size();
                launch.args.push(LaunchArg::Slice {
                    ptr,
                    len,
                    first: 0,
                    count: len,
                });
                buffers.push(Some((ptr, block, size)));
            }
        }
    }
    queue.launch(launch).unwrap();
    for (ptr, block, size) in buffers.iter().flatten() {
        queue.copy_out(*ptr, block, 0, *size).unwrap();
    }
    let fence = queue.fence().unwrap();
    let outcome = queue.wait(fence, soon()).unwrap();
    let results = buffers
        .into_iter()
        .zip(args)
        .map(|(buffer, arg)| match buffer {
            None => arg.clone(),
            Some((ptr, block, size)) => {
                let mut bytes = vec![0; size as usize];
                // SAFETY: `bytes` has room for `size`.
                unsafe { queue.read(&block, 0, bytes.as_mut_ptr(), size) };
                queue.release(block);
                queue.free(ptr).unwrap();
                interp::Arg::Slice(bytes)
            }
        });
    (outcome, results.collect())
}
