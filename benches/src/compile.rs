//! How long a user's crate takes to build, and what a section more costs there.

use std::fmt::Write as _;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::progress::Progress;
use crate::row::{Compile, Row};

/// Sections of the larger crate.
const MANY: usize = 41;

/// Builds a crate with one section in an empty folder, without optimisation, and builds it again with one and
/// with many sections when all else is built.
///
/// # Panics
/// When cargo fails, or the folder cannot be written; cargo has said why.
pub fn run() -> Vec<Row> {
    let folder = tempfile::tempdir().expect("a folder for the crate");
    let mut progress = Progress::new("compile", 3);
    let manifest = format!(
        "[package]\nname = \"user\"\nedition = \"2024\"\n[dependencies]\nhotsled = {{ path = {:?} }}\n[workspace]\n",
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../hotsled")
    );
    write(folder.path(), "Cargo.toml", &manifest);
    let mut built = |what: &str, sections| {
        progress.step(what);
        write(folder.path(), "main.rs", &source(sections));
        build(folder.path())
    };
    let before = children_cpu();
    let clean = built("a user's crate and all it needs", 1);
    let clean_cpu = children_cpu() - before;
    let many = built("many sections", MANY);
    let one = built("one section", 1);
    vec![Row::Compile(Compile {
        clean_seconds: clean,
        clean_cpu_seconds: clean_cpu,
        again_seconds: one,
        section_ms: (many - one) * 1e3 / (MANY - 1) as f64,
    })]
}

fn source(sections: usize) -> String {
    let mut text = String::from("use hotsled::parallel;\n");
    let mut calls = String::new();
    for n in 0..sections {
        let _ = writeln!(
            text,
            "#[hotsled::section]\nfn section_{n}(a: f32, x: &[f32], y: &mut [f32]) {{\n\
             for i in parallel(0..y.len()) {{ y[i] = a * x[i] + y[i] * {n}.0; }}\n}}"
        );
        let _ = writeln!(calls, "section_{n}(2.0, &x, &mut y);");
    }
    text + "fn main() {\nlet (x, mut y) = (vec![1.0; 99], vec![0.0; 99]);\n" + &calls + "}\n"
}

fn write(folder: &Path, name: &str, text: &str) {
    let folder = if name == "main.rs" {
        folder.join("src")
    } else {
        folder.to_owned()
    };
    std::fs::create_dir_all(&folder).expect("a folder for the crate");
    std::fs::write(folder.join(name), text).expect("a file of the crate");
}

/// CPU seconds of all processes that were started and have ended.
fn children_cpu() -> f64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills what it is given.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    // SAFETY: zeros are a value of the struct, and so is what the kernel writes.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Seconds of a build, without the download of crates.
fn build(folder: &Path) -> f64 {
    let cargo = |command: &str| {
        let mut cargo = Command::new("cargo");
        cargo.arg(command).current_dir(folder);
        cargo.env_remove("CARGO_TARGET_DIR").stderr(Stdio::null());
        let status = cargo.status().expect("cargo runs");
        assert!(status.success(), "cargo {command} failed");
    };
    cargo("fetch");
    let began = Instant::now();
    cargo("build");
    began.elapsed().as_secs_f64()
}
