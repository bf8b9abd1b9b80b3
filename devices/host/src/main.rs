//! The device host program.

fn main() -> std::process::ExitCode {
    hotsled_device::main_from(std::env::args_os())
}
