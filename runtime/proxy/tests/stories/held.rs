//! What held under attack and under change, and must keep holding. Each story has a short form that runs with the
//! others, and a long one that goes on from a seed:
//!
//!     MESH_ROUNDS=200 MESH_SEED=7 cargo test -p meshd-proxy --test stories held
//!
//! A failure names the seed of its round; `MESH_ROUNDS=1` with that seed repeats it alone.

use crate::support::client::{eventually, get, mtls};
use crate::support::world::{address, http_listener, inbound_listener};
use crate::support::{App, Client, Leaf, World, group, sni, spiffe, upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A small generator (splitmix64), so that a seed is all that a round needs.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.roll(from.len())]
    }
}

/// The seeds of this run: `few` of them, or as many as `MESH_ROUNDS` says, from `MESH_SEED` on.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let first = number("MESH_SEED").unwrap_or(1);
    first..first + number("MESH_ROUNDS").unwrap_or(few)
}

/// An application that reads requests by the letter of RFC 9112 and notes their request lines; what it cannot read
/// without a doubt, it notes as such.
async fn literal() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(address()).await.unwrap();
    let (at, noted) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let notes = Arc::clone(&noted);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let notes = Arc::clone(&notes);
            tokio::spawn(async move {
                if let Err(doubt) = read_literally(stream, &notes).await {
                    notes.lock().unwrap().push(format!("doubt: {doubt}"));
                }
            });
        }
    });
    (at, noted)
}

/// The next line, without its end; `None` at the end of the stream.
async fn line(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await {
            Ok(byte) => line.push(byte),
            Err(_) => return None,
        }
        if line.ends_with(b"\r\n") {
            line.truncate(line.len() - 2);
            return Some(line);
        }
    }
}

async fn read_literally(mut stream: TcpStream, notes: &Mutex<Vec<String>>) -> Result<(), String> {
    while let Some(first) = line(&mut stream).await {
        notes.lock().unwrap().push(String::from_utf8_lossy(&first).into_owned());
        let (mut length, mut chunked) = (None, false);
        loop {
            let Some(header) = line(&mut stream).await else { return Ok(()) };
            if header.is_empty() {
                break;
            }
            let text = String::from_utf8_lossy(&header).to_ascii_lowercase();
            let (name, value) = text.split_once(':').ok_or("a header without a colon")?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!("a name `{name}`"));
            }
            match (name, value.trim()) {
                ("content-length", value)
                    if length.is_none() && value.bytes().all(|b| b.is_ascii_digit()) =>
                {
                    length = Some(value.parse::<usize>().map_err(|_| "a length that is no number")?);
                }
                ("transfer-encoding", "chunked") if !chunked => chunked = true,
                ("content-length" | "transfer-encoding", value) => return Err(format!("{name}: {value}")),
                _ => {}
            }
        }
        match (length, chunked) {
            (Some(_), true) => return Err("two statements about the length".into()),
            (Some(length), false) => {
                let mut body = vec![0; length];
                if stream.read_exact(&mut body).await.is_err() {
                    return Ok(());
                }
            }
            (None, true) => loop {
                let Some(size) = line(&mut stream).await else { return Ok(()) };
                let text = String::from_utf8_lossy(&size).into_owned();
                let size = usize::from_str_radix(&text, 16).map_err(|_| format!("a chunk of `{text}`"))?;
                let mut chunk = vec![0; size + 2];
                if stream.read_exact(&mut chunk).await.is_err() {
                    return Ok(());
                }
                if !chunk.ends_with(b"\r\n") {
                    return Err("a chunk that does not end".into());
                }
                if size == 0 {
                    break;
                }
            },
            (None, false) => {}
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// A request whose framing can be read in more than one way, and which hides another one in its body.
fn ambiguous(dice: &mut Dice) -> String {
    const NAMES: [&str; 9] = [
        "content-length",
        "Content-Length",
        "content-length ",
        " content-length",
        "transfer-encoding",
        "Transfer-Encoding",
        "transfer-encoding ",
        "transfer_encoding",
        "x-a\r\ntransfer-encoding",
    ];
    const VALUES: [&str; 18] = [
        "0",
        "5",
        "44",
        "+5",
        "-1",
        "0x5",
        "5, 5",
        "5,6",
        "chunked",
        "Chunked",
        "chunked, chunked",
        "identity",
        "gzip, chunked",
        "\tchunked",
        "xchunked",
        "chunked;a=b",
        "\"chunked\"",
        "",
    ];
    const ENDS: [&str; 4] = ["\r\n", "\n", "\r\n ", "\r\r\n"];
    const BODIES: [&str; 6] =
        ["", "0\r\n\r\n", "5\r\nabcde\r\n0\r\n\r\n", "5;a\nabcde\n0\n\n", "abcde", "0\r\nx: y\r\n\r\n"];
    let method = dice.pick(&["POST", "GET", "PUT", "HEAD", "DELETE"]);
    let mut request = format!("{method} /seen HTTP/1.1\r\nhost: app\r\n");
    for _ in 0..1 + dice.roll(3) {
        let (name, value, end) = (dice.pick(&NAMES), dice.pick(&VALUES), dice.pick(&ENDS));
        request.push_str(&format!("{name}: {value}{end}"));
    }
    request.push_str("\r\n");
    request.push_str(dice.pick(&BODIES));
    request.push_str("GET /hidden HTTP/1.1\r\nhost: app\r\nx-hidden: 1\r\n\r\n");
    request
}

/// Whether a hidden request is one of its own is for the proxy to decide: then it goes through the proxy's rules, which
/// have no route for it. What must not happen is that the application sees it.
#[tokio::test]
async fn no_request_hides_in_another() {
    let (app, noted) = literal().await;
    let (mut world, bind) = (World::new(), address());
    let mut listener = http_listener(bind, "app", json!({}));
    listener["kind"]["http"]["virtual_hosts"][0]["routes"][0]["match"] =
        json!({ "path": { "exact": "/seen" } });
    let mut one = upstream(&[group("app", &[app])]);
    one["protocol"] = json!("http1");
    world.start("proxy", json!({ "listeners": [listener], "upstreams": { "app": one } }));
    for seed in seeds(400) {
        let request = ambiguous(&mut Dice(seed));
        let mut stream = TcpStream::connect(bind).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // Half-closed: what is incomplete is over.
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "seed {seed} is not answered: {request:?}");
        let noted = std::mem::take(&mut *noted.lock().unwrap());
        let strange: Vec<_> = noted.iter().filter(|line| !line.ends_with(" /seen HTTP/1.1")).collect();
        assert!(strange.is_empty(), "seed {seed}: {strange:?} from {request:?}");
    }
    assert_eq!(get(bind, "app", "/seen").await.status, 200, "and the proxy lives");
}

/// One of the spellings of `/admin`.
fn spelling(dice: &mut Dice) -> String {
    const FRONT: [&str; 12] = [
        "/",
        "//",
        "/./",
        "/x/../",
        "/x/%2e%2e/",
        "/%2e/",
        "/x/..;/",
        "/\\",
        "/x\\..\\",
        "/;a/../",
        "/x/.%2e/",
        "/%2f",
    ];
    const BACK: [&str; 10] =
        ["", "/", "/users", "?x", "/../admin", "//users", "/.", ";a=b", "%2fusers", "%00"];
    let mut path = String::from(dice.pick(&FRONT));
    for byte in b"admin" {
        match dice.roll(8) {
            0 => path.push_str(&format!("%{byte:02x}")),
            1 => path.push_str(&format!("%{byte:02X}")),
            2 if dice.roll(4) == 0 => path.push_str(&format!("%25{byte:02x}")),
            _ => path.push(char::from(*byte)),
        }
    }
    path.push_str(dice.pick(&BACK));
    path
}

/// The path as the most generous application would read it.
fn generous(path: &str) -> String {
    let path = path.split('?').next().unwrap().replace('\\', "/");
    let bytes = path.as_bytes();
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    let decoded = String::from_utf8_lossy(&decoded).replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in decoded.split('/') {
        match part.split(';').next().unwrap() {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            // `/admin;a=b` is another path than `/admin`, as it is to Envoy; whoever means both has to say so.
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[tokio::test]
async fn no_spelling_of_a_path_gets_past_a_deny() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let inbound = address();
    let deny = json!({ "filters": [{ "authorize": {
        "deny": [{ "name": "admin", "principals": ["*"], "matches": [{ "path": { "prefix": "/admin" } }] }] } }] });
    let config = json!({
        "identity": world.identity(&spiffe("app")),
        "listeners": [inbound_listener(inbound, &sni("app"), "app", deny)],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    world.start("app", config);
    let leaf = world.leaf(&spiffe("caller"));
    let mut client = mtls(inbound, &sni("app"), &leaf).await;
    let mut passed = 0;
    for seed in seeds(300) {
        let path = spelling(&mut Dice(seed));
        let Ok(path) = path.parse::<http::uri::PathAndQuery>() else { continue };
        let answer = client.get(path.as_str()).await;
        match answer.status.as_u16() {
            200 => {
                let seen = answer.said()["path"].as_str().unwrap().to_owned();
                let read = generous(&seen);
                assert!(
                    read != "/admin" && !read.starts_with("/admin/"),
                    "seed {seed}: {path} reached the application as {seen}"
                );
                passed += 1;
            }
            // After a malformed request the connection cannot be trusted.
            400 => client = mtls(inbound, &sni("app"), &leaf).await,
            403 => {}
            other => panic!("seed {seed}: {path} gave {other}"),
        }
    }
    let round = client.get("/harmless").await;
    assert_eq!(round.status, 200, "{passed} others passed");
}

fn swap(mount: &Path, generation: u64, files: &[(&str, &str)]) {
    let folder = mount.join(format!("..{generation}"));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    std::os::unix::fs::symlink(format!("..{generation}"), mount.join("..tmp")).unwrap();
    std::fs::rename(mount.join("..tmp"), mount.join("..data")).unwrap();
}

/// Each round is a reload, a certificate, or a swap of the link above the same certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_under_load_lose_no_request() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let (inbound, outbound, metrics) = (address(), address(), address());
    let mount = world.path("secret");
    std::fs::create_dir_all(&mount).unwrap();
    for file in ["tls.crt", "tls.key", "ca.crt"] {
        std::os::unix::fs::symlink(format!("..data/{file}"), mount.join(file)).unwrap();
    }
    let root = world.root.pem.clone();
    let mut leaf = world.leaf(&spiffe("catalog"));
    let show = |leaf: &Leaf, generation| {
        swap(
            &mount,
            generation,
            &[("tls.crt", &leaf.certificate), ("tls.key", &leaf.key), ("ca.crt", &root)],
        );
    };
    show(&leaf, 0);
    let file = |name: &str| mount.join(name).to_str().unwrap().to_owned();
    let callee = |version: u64| {
        json!({
            "identity": { "certificate": file("tls.crt"), "private_key": file("tls.key"), "trust_bundle": file("ca.crt") },
            "listeners": [inbound_listener(inbound, &sni("catalog"), "app", json!({ "timeout": format!("{}s", 20 + version) })),
                { "name": "metrics", "bind": metrics.to_string(), "kind": { "metrics": {} } }],
            "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
        })
    };
    world.start("catalog", callee(0));
    let mut west = group("west", &[inbound]);
    west["tls"] = json!({ "sni": sni("catalog"), "peers": [spiffe("catalog")] });
    west["requests_per_connection"] = json!(20);
    let caller: Value = json!({
        "identity": world.identity(&spiffe("webapp")),
        "listeners": [http_listener(outbound, "catalog", json!({}))],
        "upstreams": { "catalog": upstream(&[west]) },
    });
    world.start("webapp", caller);

    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = |two: bool| {
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        tokio::spawn(async move {
            let mut client =
                if two { Client::http2(outbound, "app").await } else { Client::http1(outbound, "app").await };
            while !stop.load(Ordering::SeqCst) {
                let answer = client.get("/").await;
                assert_eq!(
                    answer.status,
                    200,
                    "after {} answers: {}",
                    answered.load(Ordering::SeqCst),
                    answer.body
                );
                answered.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
    };
    let clients = [load(false), load(false), load(true)];
    let count = |name: &'static str| async move {
        let page = get(metrics, "metrics", "/metrics").await.body;
        page.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse::<u64>().unwrap()
    };
    let (mut reloads, mut rotations) = (1, 0);
    for seed in seeds(6) {
        let before = answered.load(Ordering::SeqCst);
        match seed % 3 {
            0 => {
                reloads += 1;
                world.write("catalog", callee(reloads));
                eventually("the reload", || async {
                    count("meshd_config_version").await > reloads - 1 + rotations
                })
                .await;
            }
            1 => {
                rotations += 1;
                leaf = world.leaf(&spiffe("catalog"));
                show(&leaf, seed);
                eventually("the rotation", || async {
                    count("meshd_identity_reloads_total").await == rotations
                })
                .await;
            }
            _ => show(&leaf, seed),
        }
        eventually("more answers", || async { answered.load(Ordering::SeqCst) >= before + 20 }).await;
        assert!(clients.iter().all(|client| !client.is_finished()), "seed {seed}: a request failed");
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
}
