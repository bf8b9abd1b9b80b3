//! The device host, for the tests of this package.

fn main() -> std::process::ExitCode {
    hotsled_device::main_from(std::env::args_os())
}
