//! The real program: serves, drains on SIGTERM and exits 0.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Program {
    fn start() -> Self {
        Self::run(&mut Command::new(env!("CARGO_BIN_EXE_image-service")))
    }

    fn run(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--concurrency", "2", "--control"])
            .arg(folder.join("control.sock"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap();
        let address = address
            .parse()
            .unwrap_or_else(|_| panic!("no address in {line:?}"));
        Self {
            child,
            output,
            address,
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for the end; returns the exit code and the rest of the output.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

fn status(at: SocketAddr) -> serde_json::Value {
    let mut answer = ureq::get(format!("http://{at}/status")).call().unwrap();
    serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap()
}

/// A request that takes long enough to be running when a signal comes: a wide window.
fn filter(at: SocketAddr) -> Vec<u8> {
    get(at, "contrast?window=61")
}

fn small(at: SocketAddr) -> Vec<u8> {
    get(at, "sobel")
}

fn get(at: SocketAddr, filter: &str) -> Vec<u8> {
    let mut answer = ureq::get(format!("http://{at}/filter/{filter}"))
        .call()
        .expect("a request that had begun is answered");
    answer
        .body_mut()
        .with_config()
        .limit(1 << 24)
        .read_to_vec()
        .unwrap()
}

#[test]
fn sigterm_drains_and_exits_zero() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let program = Program::start();
        let at = program.address;
        let requests: Vec<_> = (0..6)
            .map(|_| std::thread::spawn(move || filter(at)))
            .collect();
        let deadline = Instant::now() + Duration::from_secs(20);
        while status(at)["counts"]["running"] != 6 {
            assert!(
                Instant::now() < deadline,
                "six requests begin: {}",
                status(at)["counts"]
            );
        }
        program.signal(signal);
        for request in requests {
            assert_eq!(request.join().unwrap()[1..4], *b"PNG");
        }
        let (code, output) = program.end();
        assert_eq!(code, Some(0), "{output}");
        assert!(output.contains("served 6, refused 0, failed 0"), "{output}");
    }
}

#[test]
fn a_taken_address_fails_with_a_sentence() {
    let program = Program::start();
    let address = program.address.to_string();
    let second = Command::new(env!("CARGO_BIN_EXE_image-service"))
        .args(["--listen", &address])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(
        said.contains("cannot listen on") && said.contains("--listen"),
        "{said}"
    );
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end().0, Some(0));
}

/// Asks for a device; returns status and sentence.
fn plug(at: SocketAddr) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = agent.build().new_agent();
    let answer = agent.post(format!("http://{at}/devices/plug")).send_empty();
    let mut answer = answer.unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), text)
}

#[test]
fn without_a_device_program_a_plug_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("image-service");
    std::fs::copy(env!("CARGO_BIN_EXE_image-service"), &alone).unwrap();
    let program = Program::run(Command::new(alone).env("PATH", ""));
    let (status, text) = plug(program.address);
    assert_eq!(status, 409, "{text}");
    assert!(
        text.contains("cargo build --release -p hotsled-device"),
        "{text}"
    );
    assert_eq!(
        small(program.address)[1..4],
        *b"PNG",
        "and the service goes on"
    );
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn a_control_socket_in_use_or_unwritable_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken.sock");
    let _held = std::os::unix::net::UnixListener::bind(&taken).unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let unwritable = folder.path().join("file/control.sock");
    for (path, expected) in [
        (taken, "served by another process"),
        (unwritable, "cannot serve"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_image-service"))
            .args(["--listen", "127.0.0.1:0", "--control"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(expected) && said.contains(path.to_str().unwrap()),
            "{said}"
        );
    }
}

#[test]
fn switched_off_by_the_environment_it_serves_and_says_so() {
    let program =
        Program::run(Command::new(env!("CARGO_BIN_EXE_image-service")).env("HOTSLED", "off"));
    let (status_code, text) = plug(program.address);
    assert_eq!(status_code, 409, "{text}");
    assert!(text.contains("HOTSLED=off"), "{text}");
    assert_eq!(small(program.address)[1..4], *b"PNG");
    let engine = status(program.address)["status"]["engine"].to_string();
    assert!(engine.contains("off"), "{engine}");
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end().0, Some(0));
}
