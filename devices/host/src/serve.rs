//! The protocol loop: control on this thread, commands on another. Knows no device.

use std::os::fd::OwnedFd;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hotsled_link::{
    Command, Completion, Control, LinkError, ModuleId, PROTOCOL_VERSION, Server, ServerOptions,
    Work,
};

use crate::backend::{Backend, Device, Lowering, Status};
use crate::faults::{Fault, Point};

/// Serves `device` on `socket` until the link ends in good order.
///
/// When the link ends otherwise the process exits at once, also in the middle of a command: nobody is
/// left who could use the result.
///
/// # Errors
/// A failed handshake, or garbage from the engine.
pub fn serve(socket: OwnedFd, device: Device, fault: Option<Fault>) -> Result<(), LinkError> {
    let fault = Arc::new(fault);
    let strikes = |point| {
        fault
            .as_ref()
            .as_ref()
            .is_some_and(|f: &Fault| f.strikes(point))
    };
    if strikes(Point::CloseEarly) {
        return Ok(());
    }
    if strikes(Point::Silent) {
        hang();
    }
    if strikes(Point::GarbageGreeting) {
        return greet_with_garbage(socket);
    }
    let version = if strikes(Point::BadVersion) {
        PROTOCOL_VERSION + 7
    } else {
        PROTOCOL_VERSION
    };
    let options = ServerOptions {
        version,
        ..ServerOptions::default()
    };
    let Device {
        info,
        lowering,
        backend,
    } = device;
    let (server, work) = Server::connect(socket, info, &options)?;
    let data_fault = fault.clone();
    let data = move || data_loop(work, backend, data_fault);
    thread::Builder::new()
        .name("commands".into())
        .spawn(data)
        .expect("a thread for commands");
    control_loop(&server, lowering, &fault)
}

fn hang() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

fn greet_with_garbage(socket: OwnedFd) -> Result<(), LinkError> {
    use std::os::fd::AsFd;
    let sent = hotsled_sys::seqpacket::send(socket.as_fd(), b"\xffhello?", None);
    sent.map_err(|source| LinkError::Os {
        what: "sending",
        source,
    })
}

fn control_loop(
    server: &Server,
    mut lowering: Box<dyn Lowering>,
    fault: &Option<Fault>,
) -> Result<(), LinkError> {
    loop {
        match server.next()? {
            None => {}
            Some(Control::Lower(key, module)) => {
                if fault
                    .as_ref()
                    .is_some_and(|f| f.strikes(Point::GarbageLowering))
                {
                    server.send_raw(&[0xee; 40])?;
                    continue;
                }
                let refuse = fault
                    .as_ref()
                    .is_some_and(|f| f.strikes(Point::RefuseLowering));
                let result = if refuse {
                    Err("injected refusal".into())
                } else {
                    lower(&mut *lowering, &module)
                };
                server.lowered(key, result)?;
            }
            Some(Control::Goodbye) => return server.farewell(),
        }
    }
}

fn lower(lowering: &mut dyn Lowering, module: &[u8]) -> Result<(ModuleId, u64), String> {
    let started = Instant::now();
    let valid = hotsled_ir::read(module).map_err(|e| e.to_string())?;
    let number = lowering.lower(&valid)?;
    Ok((ModuleId(number), started.elapsed().as_micros() as u64))
}

/// Runs commands until the link ends, then ends the process.
fn data_loop(mut work: Work, mut backend: Box<dyn Backend>, fault: Arc<Option<Fault>>) {
    let mut status = Status::Done;
    loop {
        let command = match work.take() {
            Ok(Some(command)) => command,
            Ok(None) => continue,
            Err(error) => end(&error),
        };
        inject(&fault, &command, &mut *backend);
        if let Err(error) = run(&mut work, &mut *backend, command, &mut status, &fault) {
            end(&error);
        }
    }
}

/// The control thread sees a link that ended in good order, too, and returns from `main`.
fn end(error: &LinkError) -> ! {
    tracing::debug!(%error, "link ended");
    thread::sleep(Duration::from_millis(200));
    process::exit(3)
}

fn inject(fault: &Option<Fault>, command: &Command, backend: &mut dyn Backend) {
    let Some(fault) = fault else { return };
    match command {
        Command::CopyIn { .. } if fault.strikes(Point::LostAtCopyIn) => backend.lose(),
        Command::Launch(_) if fault.strikes(Point::LostAtLaunch) => backend.lose(),
        Command::CopyOut { .. } if fault.strikes(Point::LostAtCopyOut) => backend.lose(),
        Command::Launch(_) if fault.strikes(Point::HangAtLaunch) => hang(),
        Command::Launch(_) if fault.strikes(Point::DieAtLaunch) => process::abort(),
        Command::CopyIn { .. } if fault.strikes(Point::DieAtCopyIn) => process::abort(),
        Command::CopyOut { .. } if fault.strikes(Point::DieAtCopyOut) => process::abort(),
        _ => {}
    }
}

/// Runs one command; `status` keeps the first failure since the last fence.
fn run(
    work: &mut Work,
    backend: &mut dyn Backend,
    command: Command,
    status: &mut Status,
    fault: &Option<Fault>,
) -> Result<(), LinkError> {
    let now = match command {
        Command::Alloc { ticket, bytes } => {
            let value = backend.alloc(bytes).map_or(0, |ptr| ptr.0);
            return work.complete(Completion {
                ticket,
                status: 0,
                value,
            });
        }
        Command::Fence(ticket) => {
            let garbage = fault
                .as_ref()
                .is_some_and(|f| f.strikes(Point::GarbageFence));
            let code = if garbage {
                99
            } else {
                std::mem::replace(status, Status::Done) as u64
            };
            return work.complete(Completion {
                ticket,
                status: code,
                value: 0,
            });
        }
        _ if *status != Status::Done => return Ok(()), // worthless until the fence says so
        Command::Free(ptr) => backend.free(ptr),
        Command::CopyIn {
            staging,
            ptr,
            bytes,
        } => {
            let src = work.staging(work.span(staging, bytes)?);
            // SAFETY: the span is readable staging of this length, as long as `work`.
            unsafe { backend.copy_in(ptr, src, bytes) }
        }
        Command::CopyOut {
            ptr,
            staging,
            bytes,
        } => {
            let dst = work.staging(work.span(staging, bytes)?);
            // SAFETY: the span is writable staging of this length, as long as `work`.
            let done = unsafe { backend.copy_out(ptr, dst, bytes) };
            if bytes > 0
                && fault
                    .as_ref()
                    .is_some_and(|f| f.strikes(Point::CorruptResult))
            {
                // SAFETY: the first byte of a non-empty span.
                let first = unsafe { dst.read_volatile() };
                // SAFETY: as above.
                unsafe { dst.write_volatile(first ^ 0x10) };
            }
            done
        }
        Command::Launch(launch) => backend.launch(&launch),
    };
    if now == Status::Lost {
        // At once, without the driver's farewell: it may wait for work that never ends.
        hotsled_sys::exit_now(4);
    }
    if now != Status::Done {
        *status = now;
    }
    Ok(())
}
