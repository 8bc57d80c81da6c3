//! Another attempt beside one that takes long: the first answer is the client's.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  service page { clusters = [west], port http { number = 80 } }
  service pair { clusters = [west], port http { number = 80 }, subset a {}, subset b {} }
  policy pair  { targets = [pair], outlier { consecutive_gateway_errors = 2, ejection = 10m } }
  route pair   {
    gateway = west.in, hosts = ["pair.example"], to = pair
    retry { attempts = 2, when = [503], per_try_timeout = 400ms, hedge = true }
  }
  policy page { targets = [page], outlier { enabled = false } }
  route page {
    gateway = west.in, hosts = ["page.example"]
    retry { attempts = 2, when = [503], per_try_timeout = 400ms, hedge = true }
    rule { match { path = "/cut" }, to = page, retry { attempts = 2, when = [503], per_try_timeout = 400ms } }
    rule { match { path = "/silent" }, to = page, retry { attempts = 2, when = [503], per_try_timeout = 20s, per_try_idle = 400ms, hedge = true } }
    rule { match { path = "/once" }, to = page, retry { attempts = 0, per_try_timeout = 400ms, hedge = true } }
    rule { to = page }
  }
}
"#;

/// How long the application takes for the first, the second and each further request of a path, in milliseconds, and what
/// it answers.
const PACE: &[(&str, [(u64, u16); 3])] = &[
    ("/first", [(60_000, 200), (0, 200), (0, 200)]),
    ("/slow", [(1000, 200), (60_000, 200), (60_000, 200)]),
    ("/failing", [(60_000, 200), (0, 503), (0, 200)]),
    ("/cut", [(60_000, 200), (0, 200), (0, 200)]),
    ("/once", [(1000, 200), (0, 200), (0, 200)]),
    ("/posted", [(60_000, 200), (0, 200), (0, 200)]),
    ("/silent", [(1000, 200), (60_000, 200), (60_000, 200)]),
];

/// How many requests there were for each path.
type Asked = Arc<Mutex<BTreeMap<String, usize>>>;

/// An application that answers with the number of the request, at the pace of its path.
fn application() -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let asked = Asked::default();
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let counted = Arc::clone(&counted);
            std::thread::spawn(move || answer(stream, &counted));
        }
    });
    (address, asked)
}

fn answer(mut stream: TcpStream, asked: &Asked) -> std::io::Result<()> {
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
        let number = {
            let mut asked = asked.lock().expect("no thread panics with it");
            let number = asked.entry(path.clone()).or_default();
            *number += 1;
            *number
        };
        let paces = PACE.iter().find(|(known, _)| *known == path).map_or([(0, 200); 3], |(_, paces)| *paces);
        let (pause, status) = paces[number.min(3) - 1];
        std::thread::sleep(Duration::from_millis(pause));
        let body = number.to_string();
        let answer = format!("HTTP/1.1 {status} Told\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes())?;
    }
}

/// An attempt that goes on counts against its endpoint like one that is cut: after two of them nobody is sent there any more,
/// and no second attempt is needed.
fn who_is_late_too_often_is_left(mesh: &Mesh) {
    mesh.fail("shop.pair.a", "west", "hang");
    let mut round = 0;
    process::eventually("requests need one attempt again", Duration::from_secs(60), || {
        round += 1;
        let paths: Vec<String> = (0..6).map(|number| format!("/round-{round}/{number}")).collect();
        for path in &paths {
            let answer = mesh.ingress("WEST_IN", &Request::get("pair.example", path));
            assert_eq!((answer.status, answer.field("service").as_str()), (200, "shop.pair.b"));
        }
        let lines: Vec<String> = process::eventually("they are logged", Duration::from_secs(20), || {
            let log = mesh.log("west/gateways/in");
            let line =
                |path: &String| log.lines().find(|line| line.contains(path.as_str())).map(String::from);
            paths.iter().map(line).collect()
        });
        lines.iter().all(|line| line.contains(r#""attempts":1"#)).then_some(())
    });
    assert!(round > 1, "the first two that went there were late");
}

fn the_first_answer_counts(data_plane: DataPlane) {
    let (address, asked) = application();
    let mesh = Mesh::up_with(SHOP, data_plane, &[("shop.page", address)]);
    let ask = |method: &str, path: &str| {
        let answer = mesh.ingress("WEST_IN", &Request::get("page.example", path).method(method, ""));
        (answer.status, answer.body)
    };
    let got = |status: u16, body: &str| (status, body.to_owned());
    let requests = |path: &str| asked.lock().expect("no thread panics with it").get(path).copied();

    assert_eq!(ask("GET", "/first"), got(200, "2"), "the second was faster");
    assert_eq!(ask("GET", "/slow"), got(200, "1"), "the first was not cut");
    assert!(requests("/slow").is_some_and(|count| count > 1), "others were sent beside it");
    assert_eq!(ask("GET", "/failing"), got(200, "3"), "a failure that may be sent again is no answer");
    assert_eq!(
        ask("GET", "/silent"),
        got(200, "1"),
        "the first was silent for longer than an endpoint may, and not cut"
    );
    assert!(requests("/silent").is_some_and(|count| count > 1), "others were sent beside it");
    assert_eq!(ask("GET", "/once"), got(200, "1"), "it goes on also where there is no other attempt left");
    // Neither where it is not asked for, nor what may not be sent again.
    assert_eq!(ask("GET", "/cut").0, 504);
    assert_eq!(ask("POST", "/posted").0, 504);
    assert_eq!((requests("/cut"), requests("/posted"), requests("/once")), (Some(1), Some(1), Some(1)));
    who_is_late_too_often_is_left(&mesh);
    // The attempts that lost are broken off, so that nothing is left of them.
    process::eventually("the request is in the log", Duration::from_secs(20), || {
        let log = mesh.log("west/gateways/in");
        log.lines().any(|line| line.contains("/first") && line.contains(r#""attempts":2"#)).then_some(())
    });
}

crate::on_both_data_planes!(the_first_answer_counts);
