//! The device host program as this package's tests start it.

fn main() -> std::process::ExitCode {
    hotsled_device::main_from(std::env::args_os())
}
