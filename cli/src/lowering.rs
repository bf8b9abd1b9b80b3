//! Shows what a module becomes on a device, by running the device host program.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const NAME: &str = "hotsled-device";

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum LoweringError {
    /// The program could not be run.
    #[error("running {}: {source}; build it with: cargo build --release -p hotsled-device", .program.display())]
    Program {
        /// What was run.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It says no: a construct that such a device cannot, say.
    #[error("{0}")]
    Refused(String),
}

/// A module in another form (`spirv`, `ptx`, `clif`, `asm`). Without a program, `hotsled-device` beside this
/// one, else on the PATH.
///
/// # Errors
/// No program, or its refusal.
pub fn text(program: Option<&Path>, module: &[u8], form: &str) -> Result<String, LoweringError> {
    let program = program.map_or_else(find, Path::to_owned);
    let ran = run(&program, module, form);
    let output = ran.map_err(|source| LoweringError::Program { program, source })?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(said(&output.stdout))
    } else {
        Err(LoweringError::Refused(
            said(&output.stderr).trim_end().to_owned(),
        ))
    }
}

fn find() -> PathBuf {
    let beside = std::env::current_exe().map(|exe| exe.with_file_name(NAME));
    beside
        .ok()
        .filter(|path| path.is_file())
        .unwrap_or_else(|| NAME.into())
}

fn run(program: &Path, module: &[u8], form: &str) -> io::Result<std::process::Output> {
    let mut child = Command::new(program)
        .args(["lower", "--emit", form])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // A host that ends early says why; the broken pipe does not.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(module));
    child.wait_with_output()
}
