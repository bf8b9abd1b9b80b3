//! The control socket against clients that err, stall or attack, and the files it makes.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use common::{builder, turn, until, with};
use hotsled::client::{Client, ClientError};
use hotsled::{Engine, Error};

fn ask(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    let _ = stream.write_all(bytes); // it may refuse in the middle
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line);
    line
}

#[test]
fn a_client_does_what_the_api_does() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/control.sock");
    let engine = builder().control_socket(&path).start().unwrap();
    let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let client = Client::at(&path);
    let name = client.plug(with(&[])).unwrap();
    let status = client.status().unwrap();
    assert_eq!(status.pid, std::process::id());
    assert_eq!(status.devices[0].name, name);
    client.unplug(None).unwrap();
    let name = client.plug(with(&[])).unwrap();
    client.kill(name).unwrap();
    until("the loss", || client.status().unwrap().totals.losses == 1);
    let refused = client.unplug(Some("nobody".into()));
    assert!(matches!(refused, Err(ClientError::Refused(why)) if why.contains("nobody")));
    drop(engine);
    assert!(!path.exists(), "the socket's file stays");
    assert!(matches!(client.status(), Err(ClientError::Connect { .. })));
}

#[test]
fn nonsense_gets_a_sentence_and_the_service_goes_on() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let _engine = builder().control_socket(&path).start().unwrap();
    let deep = "[".repeat(60_000) + "\n";
    let nonsense: [&[u8]; 7] = [
        b"\n",
        b"{}\n",
        b"{\"do\":\"explode\"}\n",
        b"{\"do\":\"kill\"}\n",
        b"{\"do\":\"plug\",\"arguments\":7}\n",
        b"\xff\xfe\x00\n",
        deep.as_bytes(),
    ];
    for bytes in nonsense {
        let answer = ask(&path, bytes);
        assert!(answer.starts_with("{\"error\":\"not a request"), "{answer}");
    }
    let long = ask(&path, &vec![b'a'; (64 << 10) + 1]);
    assert!(long.contains("at most"), "{long}");
    drop(UnixStream::connect(&path).unwrap()); // says nothing
    assert!(ask(&path, b"{\"do\":\"status\"}\n").starts_with("{\"ok\""));
}

#[test]
fn stuck_clients_delay_nobody() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let engine = builder().control_socket(&path).start().unwrap();
    let _stuck: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = UnixStream::connect(&path).unwrap();
            stream.write_all(b"{\"do\"").unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    Client::at(&path).status().unwrap();
    engine.plug(with(&[])).unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
    let mut many: Vec<_> = (0..24)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    let mut line = String::new();
    BufReader::new(many.pop().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("try again"), "{line}");
}

#[test]
fn sockets_in_use_stale_and_not_to_be_made() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let start = |path: &Path| Engine::builder().control_socket(path).start();
    let used = dir.path().join("used.sock");
    let listener = UnixListener::bind(&used).unwrap();
    assert!(matches!(start(&used), Err(Error::SocketInUse(p)) if p == used));
    drop(listener);
    drop(start(&used).unwrap()); // now it is stale
    let file = dir.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    assert!(matches!(start(&file), Err(Error::Socket { .. })));
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    let impossible = file.join("control.sock");
    let error = start(&impossible).err().unwrap().to_string();
    assert!(
        error.contains("cannot serve") && error.contains("control.sock"),
        "{error}"
    );
    let _engine = Engine::start().unwrap(); // what failed left no engine behind
}
