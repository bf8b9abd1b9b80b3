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
        let folder = tempfile::tempdir().unwrap().keep();
        let mut child = Command::new(env!("CARGO_BIN_EXE_image-service"))
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

fn filter(at: SocketAddr) -> Vec<u8> {
    // A wide window: long enough to be running when the signal comes.
    let mut answer = ureq::get(format!("http://{at}/filter/contrast?window=61"))
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
