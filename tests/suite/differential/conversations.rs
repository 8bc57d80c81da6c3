//! What is said beside plain requests: WebSockets, bytes, and TLS.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use mesh_tests::{process, raw, tools};
use serde_json::Value;

use crate::outcome::{became, seen};

/// How long any single read may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection; none if the proxy resets it before this has seen that it is there.
fn open(address: SocketAddr) -> Option<TcpStream> {
    assert!(address.ip().is_loopback(), "{address} is not on loopback");
    let stream = match TcpStream::connect_timeout(&address, PATIENCE) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
        opened => opened.expect("the proxy listens"),
    };
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    Some(stream)
}

/// A message of two letters (RFC 6455, section 5.2) with a mask of zeros, as it is sent and as it comes back.
const SAID: [u8; 8] = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
const HEARD: [u8; 4] = [0x81, 2, b'h', b'i'];

/// Asks for a WebSocket. Where there is one, a message is sent, and what comes back counts.
pub(crate) fn websocket(address: SocketAddr, host: &str, path: &str) -> String {
    let Some(mut stream) = open(address) else {
        return became(&raw::Outcome { status: None, body: Vec::new(), waits: false });
    };
    let asked = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let _ = stream.write_all(asked.as_bytes());
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u16>().ok());
    if status != Some(101) {
        return became(&raw::Outcome { status, body: Vec::new(), waits: false });
    }
    let _ = stream.write_all(&SAID);
    let mut heard = [0; 4];
    let _ = stream.read_exact(&mut heard);
    let head = String::from_utf8_lossy(&head).into_owned();
    let told = head.lines().find_map(|line| line.strip_prefix("x-answer: ")).unwrap_or_default();
    let echo = if heard == HEARD { "and an echo" } else { "and none" };
    let mut told: Value = serde_json::from_str(told).unwrap_or_default();
    // Of a WebSocket, Envoy tells a host outside how its first hop was made: see the reference's table of differences.
    if let Some(headers) = told["headers"].as_object_mut() {
        headers.remove("x-forwarded-proto");
    }
    format!("101 {echo}{}", seen(&told))
}

/// What comes back over a connection of bytes: a line, and what was said. Whether it ends in order or is cut may differ, as the
/// reference says, and so may whether a client gets anything that ends together with its first bytes; so it ends last.
pub(crate) fn bytes(address: SocketAddr, said: &[u8]) -> String {
    let mut heard = Vec::new();
    let Some(mut stream) = open(address) else { return String::from("heard ") };
    // Whoever is refused may have closed already.
    let _ = stream.write_all(said);
    let mut part = [0; 1024];
    let whole = |heard: &[u8]| heard.strip_suffix(said).is_some_and(|line| line.ends_with(b"\n"));
    while !whole(&heard) {
        match stream.read(&mut part) {
            Ok(count) if count > 0 => heard.extend_from_slice(&part[..count]),
            Ok(_) | Err(_) => break,
        }
    }
    format!("heard {}", heard.escape_ascii())
}

/// A request over TLS: its status, 0 if there was no handshake, and the body. Who certified the server is not looked at.
pub(crate) fn tls(
    address: SocketAddr,
    host: &str,
    path: &str,
    arguments: &[String],
    shows: Option<&[String; 2]>,
) -> (u16, Vec<u8>) {
    let mut command = Command::new(tools::system("curl"));
    command.args([
        "--silent",
        "--insecure",
        "--max-time",
        "10",
        "--noproxy",
        "*",
        "--write-out",
        "\n%{http_code}",
    ]);
    command
        .args(["--connect-to", &format!("{host}:443:{address}"), "--path-as-is", "--globoff"])
        .args(arguments);
    if let Some([certificate, key]) = shows {
        command.args(["--cert", certificate, "--key", key]);
    }
    let output = process::run(command.arg(format!("https://{host}{path}")));
    let end = output.stdout.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let (body, status) = output.stdout.split_at(end);
    let status = String::from_utf8_lossy(status).trim().parse().unwrap_or(0);
    (status, body.to_vec())
}
