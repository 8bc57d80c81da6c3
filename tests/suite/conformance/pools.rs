//! How much one caller may have under way to one callee: connections, and requests that are sent again.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west { network = west-net, region = "here" }
cluster east { network = east-net, region = "there", gateway ew { role = east_west, address = 10.0.1.1 } }
namespace shop {
  client web { clusters = [west], calls = [wide, narrow, ledger, never, few, half, spread] }
  service wide   { clusters = [west], port http { number = 80 } }
  service narrow { clusters = [west], port http { number = 80 } }
  service ledger { clusters = [west], port sql { number = 5432, protocol = tcp } }
  service never  { clusters = [west], port http { number = 80 } }
  service few    { clusters = [west], port http { number = 80 } }
  service half   { clusters = [west], port http { number = 80 } }
  // The same where there is another cluster to go to.
  service spread { clusters = [west, east], port http { number = 80 } }
  policy all {
    outlier { enabled = false }
    retry { attempts = 1, when = [503], methods = ["GET"], back_off = 1ms, max_back_off = 1ms }
  }
  policy narrow { targets = [narrow], pool { max_connections = 3 } }
  policy ledger { targets = [ledger], pool { max_connections = 2 } }
  policy never  { targets = [never], pool { retry_budget = 0%, min_concurrent_retries = 0 } }
  policy few    { targets = [few], pool { retry_budget = 0%, min_concurrent_retries = 1 } }
  policy half   { targets = [half, spread], pool { retry_budget = 50%, min_concurrent_retries = 0 } }
}
"#;

/// What an application has seen.
#[derive(Default)]
struct Seen {
    /// How often each path was asked for.
    asked: BTreeMap<String, usize>,
    /// How many requests wait for the gate.
    held: usize,
    /// How many did at most.
    most: usize,
    /// How many may pass the gate.
    admitted: usize,
}

/// An application that holds requests. A path with `fails` is answered with 503 at first; one with `held` waits for the gate,
/// and one with both does so the second time.
#[derive(Clone, Default)]
struct Application(Arc<(Mutex<Seen>, Condvar)>);

impl Application {
    fn serve(&self, listener: TcpListener) {
        let this = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let this = this.clone();
                std::thread::spawn(move || this.converse(stream));
            }
        });
    }

    fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        loop {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                if stream.read(&mut byte)? == 0 {
                    return Ok(());
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let status = if self.fails(&path) { "503 Service Unavailable" } else { "200 OK" };
            stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())?;
        }
    }

    /// Whether a request fails, once that may be told.
    fn fails(&self, path: &str) -> bool {
        let (seen, gate) = &*self.0;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.asked.entry(path.to_owned()).or_default();
        *count += 1;
        if path.contains("fails") && *count == 1 {
            return true;
        }
        if path.contains("held") {
            seen.held += 1;
            seen.most = seen.most.max(seen.held);
            let mut seen =
                gate.wait_while(seen, |seen| seen.admitted == 0).unwrap_or_else(PoisonError::into_inner);
            seen.held -= 1;
            seen.admitted -= 1;
        }
        false
    }

    fn asked(&self, path: &str) -> usize {
        self.0.0.lock().expect("no panic").asked.get(path).copied().unwrap_or_default()
    }

    /// How many requests were held at most.
    fn most(&self) -> usize {
        self.0.0.lock().expect("no panic").most
    }

    /// Waits until so many requests are held.
    fn holds(&self, count: usize) {
        process::eventually(&format!("{count} requests are held"), Duration::from_secs(20), || {
            (self.0.0.lock().expect("no panic").held >= count).then_some(())
        });
    }

    /// Lets so many more pass.
    fn admit(&self, count: usize) {
        self.0.0.lock().expect("no panic").admitted += count;
        self.0.1.notify_all();
    }
}

fn variable(service: &str) -> String {
    format!("MESH_CALL_WEST_SHOP_WEB__SHOP_{service}")
}

/// The application of a service, and how it is called.
fn replaced(mesh: &Mesh, service: &str) -> (Application, SocketAddr) {
    let application = Application::default();
    let name = format!("WEST_SIDECARS_SHOP_{}_80", service.to_uppercase());
    application.serve(mesh.replace(&format!("shop.{service}"), "west", &name));
    (application, mesh.address(&variable(&format!("{}_80", service.to_uppercase()))))
}

fn status(address: SocketAddr, path: &str) -> u16 {
    Request::get("any", path).send(address).status
}

/// Twelve requests at a time: all of them arrive at once, or three, and the next whenever one is answered; none is refused.
fn connections_are_bounded(mesh: &Mesh) {
    for (service, at_once) in [("wide", 12), ("narrow", 3)] {
        let (application, address) = replaced(mesh, service);
        let paths: Vec<String> = (0..12).map(|number| format!("/held/{number}")).collect();
        std::thread::scope(|scope| {
            let asked: Vec<_> = paths.iter().map(|path| scope.spawn(move || status(address, path))).collect();
            application.holds(at_once);
            // One by one: whatever waits has time to show that it could have come sooner.
            for left in (0..12).rev() {
                application.admit(1);
                application.holds(at_once.min(left));
            }
            for one in asked {
                assert_eq!(one.join().expect("no panic"), 200, "{service}");
            }
        });
        assert_eq!(application.most(), at_once, "{service}");
    }
    // Of TCP connections one more than the bound is refused, and admitted once another one is gone.
    let ledger = mesh.address(&variable("LEDGER_5432"));
    let connect = || {
        let stream = TcpStream::connect(ledger).expect("the sidecar listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        let mut stream = BufReader::new(stream);
        let mut banner = String::new();
        let _ = stream.read_line(&mut banner);
        (!banner.is_empty()).then_some(stream)
    };
    let kept = [connect(), connect()];
    assert!(kept.iter().all(Option::is_some), "two connections are admitted");
    assert!(connect().is_none(), "a third one is not");
    drop(kept);
    process::eventually("there is room again", Duration::from_secs(20), || connect().map(drop));
}

fn retries_are_bounded(mesh: &Mesh, data_plane: DataPlane) {
    // None at all.
    let (application, never) = replaced(mesh, "never");
    assert_eq!((status(never, "/fails"), application.asked("/fails")), (503, 1));

    // One at a time, whatever is under way.
    let (application, few) = replaced(mesh, "few");
    assert_eq!((status(few, "/fails"), application.asked("/fails")), (200, 2));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| status(few, "/fails/held"));
        application.holds(1);
        assert_eq!((status(few, "/fails/too"), application.asked("/fails/too")), (503, 1));
        application.admit(9);
        assert_eq!(first.join().expect("no panic"), 200);
    });
    assert_eq!((status(few, "/fails/later"), application.asked("/fails/later")), (200, 2));

    // One of every two that are under way: of a single one none.
    // Envoy counts requests where they are sent and retries where they come from, so in several clusters it finds none.
    let elsewhere = match data_plane {
        DataPlane::Envoy => 503,
        DataPlane::Meshd => 200,
    };
    for (service, expected) in [("half", 200), ("spread", elsewhere)] {
        let (application, half) = replaced(mesh, service);
        assert_eq!((status(half, "/fails"), application.asked("/fails")), (503, 1), "{service}");
        std::thread::scope(|scope| {
            let held: Vec<_> = (0..3).map(|_| scope.spawn(|| status(half, "/held"))).collect();
            application.holds(3);
            // A second attempt goes to the other cluster where there is one.
            let beside = status(half, "/fails/beside");
            application.admit(9);
            assert_eq!(beside, expected, "{service}");
            for one in held {
                assert_eq!(one.join().expect("no panic"), 200);
            }
        });
    }
}

fn what_is_under_way_is_bounded(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    connections_are_bounded(&mesh);
    retries_are_bounded(&mesh, data_plane);
}

crate::on_both_data_planes!(what_is_under_way_is_bounded);
