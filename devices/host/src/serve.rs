//! The link's control messages on this thread, its commands on another. Knows no device.

use std::os::fd::OwnedFd;
use std::thread;
use std::time::Instant;

use hotsled_link::{Control, LinkError, ModuleId, PROTOCOL_VERSION, Server, ServerOptions};

use crate::backend::{Device, Lowering};
use crate::commands::Commands;
use crate::faults::{self, Fault, Faults, Point};

/// Serves `device` on `socket` until the link ends in good order.
///
/// When the link ends otherwise the process exits at once, also in the middle of a command: nobody is
/// left who could use the result.
///
/// # Errors
/// A failed handshake, or garbage from the engine.
pub fn serve(socket: OwnedFd, device: Device, fault: Option<Fault>) -> Result<(), LinkError> {
    let faults = Faults::new(fault);
    if faults.strike(Point::CloseEarly) {
        return Ok(());
    }
    if faults.strike(Point::Silent) {
        faults::hang();
    }
    if faults.strike(Point::GarbageGreeting) {
        return greet_with_garbage(socket);
    }
    let mut options = ServerOptions::default();
    if faults.strike(Point::BadVersion) {
        options.version = PROTOCOL_VERSION + 7;
    }
    let Device {
        info,
        lowering,
        backend,
    } = device;
    let (server, work) = Server::connect(socket, info, &options)?;
    let commands = Commands::new(work, backend, faults.clone());
    thread::Builder::new()
        .name("commands".into())
        .spawn(move || commands.run())
        .expect("a thread for commands");
    control(&server, lowering, &faults)
}

fn greet_with_garbage(socket: OwnedFd) -> Result<(), LinkError> {
    use std::os::fd::AsFd;
    let sent = hotsled_sys::seqpacket::send(socket.as_fd(), b"\xffhello?", None);
    sent.map_err(|source| LinkError::Os {
        what: "sending",
        source,
    })
}

fn control(
    server: &Server,
    mut lowering: Box<dyn Lowering>,
    faults: &Faults,
) -> Result<(), LinkError> {
    loop {
        match server.next()? {
            None => {}
            Some(Control::Lower(..)) if faults.strike(Point::GarbageLowering) => {
                server.send_raw(&[0xee; 40])?;
            }
            Some(Control::Lower(key, _)) if faults.strike(Point::RefuseLowering) => {
                server.lowered(key, Err("injected refusal".into()))?;
            }
            Some(Control::Lower(key, module)) => {
                server.lowered(key, lower(&mut *lowering, &module))?;
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
