//! How long a call may take that says so itself, and when and how a request is sent again.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::one_stream;

const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [api] }
  service api { clusters = [west], port grpc { number = 80, protocol = grpc } }
  service page { clusters = [west], port http { number = 80 } }
  route api { gateway = west.in, hosts = ["api.example"], to = api, timeout = 500ms }
  route page {
    gateway = west.in
    hosts   = ["page.example"]
    retry   { attempts = 1, when = [503], methods = ["*"], back_off = 10ms, max_back_off = 20ms }
    rule { match { paths = ["/small", "/kept"] }, to = page }
    rule {
      match { path = "/large" }
      to = page
      retry { attempts = 1, when = [503], methods = ["POST"], max_body = 256KiB }
    }
    rule { match { path = "/after" }, to = page, retry { attempts = 1, when = [503], max_retry_after = 5s } }
    rule { match { path = "/never" }, to = page, retry { attempts = 1, when = [503], max_retry_after = 5s } }
    rule { match { path = "/silent" }, to = page, retry { attempts = 1, when = [5xx], per_try_idle = 300ms } }
    rule { match { path = "/hung" }, to = page, retry { attempts = 1, when = [reset], per_try_timeout = 300ms } }
    rule { match { path = "/hung/once" }, to = page, retry { attempts = 1, when = [connect_failure, 504], per_try_timeout = 300ms } }
    rule { match { path = "/now" }, to = page, retry { attempts = 1, when = [503], max_retry_after = 5s } }
  }
  policy page { targets = [page], outlier { enabled = false } }
  client eager { clusters = [west], calls = [few] }
  service few { clusters = [west], port http { number = 80 } }
  policy few {
    targets = [few]
    rate_limit { scope = pod, total = 1/s, burst = 1 }
    retry { attempts = 3, when = [429], max_retry_after = 3s }
  }
  service large { clusters = [west], port http { number = 80 } }
  route large {
    gateway = west.in
    hosts   = ["large.example"]
    to      = large
    retry   { attempts = 1, when = [5xx], per_try_idle = 2s }
  }
  policy large { targets = [large], outlier { interval = 1s } }
}
"#;

fn calls_end_with_their_own_time(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let (api, ingress) =
        (mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_API_80"), mesh.address("MESH_GATEWAY_WEST_IN"));
    let call =
        |path: &str, time: &str| one_stream::Request::grpc("api.shop", path).header("grpc-timeout", time);
    let late = call("/slow?delay=5000", "300m").send(api);
    assert_eq!(
        (late.header("grpc-status"), late.header("grpc-message")),
        ("4", "downstream duration timeout")
    );
    let none = call("/slow?delay=5000", "0m").send(api);
    assert_eq!(none.header("grpc-status"), "4", "no time at all is over at once: {none:?}");
    // The route bounds it.
    let late = one_stream::Request::grpc("api.example", "/slow?delay=5000")
        .header("grpc-timeout", "10S")
        .send(ingress);
    assert_eq!(late.header("grpc-status"), "4", "{late:?}");
    // The callee is told what is left, and nothing if nothing was said.
    for (time, most) in [("9S", 9_000), ("1H", 3_600_000)] {
        let told = told(&call("/fine", time).send(api).body);
        let told = told.unwrap_or_else(|| panic!("{time}: the application is told nothing"));
        assert!((1..=most).contains(&told), "{time}: {told} ms");
    }
    let bounded =
        one_stream::Request::grpc("api.example", "/fine").header("grpc-timeout", "10S").send(ingress);
    assert!(told(&bounded.body).is_some_and(|told| told <= 500), "{bounded:?}");
    assert_eq!(told(&one_stream::Request::grpc("api.shop", "/fine").send(api).body), None);
}

/// The time that the application was told, in milliseconds.
fn told(body: &str) -> Option<u64> {
    let seen: serde_json::Value =
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let text = seen["headers"]["grpc-timeout"].as_str()?;
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().expect("a number");
    Some(match unit {
        "m" => number,
        "S" => number * 1000,
        "u" => number / 1000,
        "n" => number / 1_000_000,
        other => panic!("{other}"),
    })
}

/// How often each path was asked for.
type Counts = Arc<Mutex<BTreeMap<String, usize>>>;

/// Fails the first request to each path, as the path says, and answers the others with the size of their body.
fn serve(application: TcpListener, counts: &Counts) {
    let counts = Arc::clone(counts);
    std::thread::spawn(move || {
        for stream in application.incoming().map_while(Result::ok) {
            let counts = Arc::clone(&counts);
            std::thread::spawn(move || converse(stream, &counts));
        }
    });
}

fn converse(mut stream: TcpStream, counts: &Counts) -> std::io::Result<()> {
    loop {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte)? == 0 {
                return Ok(());
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let mut body = vec![0; length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)];
        stream.read_exact(&mut body)?;
        let is_first = {
            let mut counts = counts.lock().expect("nobody panics");
            let count = counts.entry(path.clone()).or_default();
            *count += 1;
            *count == 1
        };
        let fails =
            |more: &str| format!("HTTP/1.1 503 Service Unavailable\r\n{more}content-length: 0\r\n\r\n");
        let answer = match path.as_str() {
            "/silent" | "/hung" | "/hung/once" if is_first => {
                // Until the proxy gives up.
                while stream.read(&mut byte)? > 0 {}
                return Ok(());
            }
            "/after" if is_first => fails("retry-after: 1\r\n"),
            "/now" if is_first => fails("retry-after: 0\r\nx-ratelimit-reset: 4\r\n"),
            "/never" if is_first => fails("retry-after: 3600\r\n"),
            _ if is_first => fails(""),
            _ => {
                let body = body.len().to_string();
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
        };
        stream.write_all(answer.as_bytes())?;
    }
}

fn requests_are_sent_again_as_the_route_says(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let counts = Counts::default();
    serve(mesh.replace("shop.page", "west", "WEST_SIDECARS_SHOP_PAGE_80"), &counts);
    let count = |path: &str| counts.lock().expect("nobody panics").get(path).copied();
    let ask = |request: Request| {
        let answer = mesh.ingress("WEST_IN", &request);
        (answer.status, answer.body)
    };
    let post = |path: &str, size: usize| Request::get("page.example", path).method("POST", &"x".repeat(size));
    let get = |path: &str| Request::get("page.example", path);
    assert_eq!(ask(post("/small", 1000)), (200, String::from("1000")));
    // A body is kept up to a bound, which a route can raise.
    assert_eq!((ask(post("/kept", 100_000)).0, count("/kept")), (503, Some(1)));
    assert_eq!(ask(post("/large", 100_000)), (200, String::from("100000")));
    // An answer may ask for a longer wait, up to a bound.
    let start = Instant::now();
    assert_eq!(ask(get("/after")), (200, String::from("0")));
    assert!(start.elapsed() >= Duration::from_secs(1), "after {:?}", start.elapsed());
    assert_eq!(ask(get("/never")), (200, String::from("0")), "what asks for too much is not heard");
    // Silence of an endpoint ends an attempt.
    assert_eq!(ask(get("/silent")), (200, String::from("0")));
    // So does an attempt that takes too long, which is a reset and no answer.
    assert_eq!(ask(get("/hung")), (200, String::from("0")));
    assert_eq!((ask(get("/hung/once")).0, count("/hung/once")), (504, Some(1)));
    let start = Instant::now();
    assert_eq!(ask(get("/now")), (200, String::from("0")));
    assert!(start.elapsed() < Duration::from_secs(4), "the first header counts: {:?}", start.elapsed());
    for path in ["/small", "/large", "/after", "/never", "/silent", "/hung", "/now"] {
        assert_eq!(count(path), Some(2), "{path}");
    }
    // What a limit of the mesh refuses is sent again when there is room.
    let eager = mesh.address("MESH_CALL_WEST_SHOP_EAGER__SHOP_FEW_80");
    let statuses = [(); 3].map(|()| Request::get("few.shop", "/").send(eager).status);
    assert_eq!(statuses, [200; 3]);
}

/// An application all of whose answers are longer than what anything on the way keeps.
fn serve_without_end(application: TcpListener) {
    std::thread::spawn(move || {
        for mut stream in application.incoming().map_while(Result::ok) {
            std::thread::spawn(move || -> std::io::Result<()> {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head)?;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")?;
                loop {
                    stream.write_all(&[b'x'; 65_536])?;
                }
            });
        }
    });
}

fn who_does_not_read_is_no_silence_of_an_endpoint(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    serve_without_end(mesh.replace("shop.large", "west", "WEST_SIDECARS_SHOP_LARGE_80"));
    let ingress = mesh.address("MESH_GATEWAY_WEST_IN");
    let unread: Vec<TcpStream> = (0..7)
        .map(|_| {
            let mut stream = TcpStream::connect(ingress).expect("it listens");
            stream.write_all(b"GET / HTTP/1.1\r\nhost: large.example\r\n\r\n").expect("written");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
            let mut begin = [0; 12];
            stream.read_exact(&mut begin).expect("the answer begins");
            assert_eq!(&begin, b"HTTP/1.1 200");
            stream
        })
        .collect();
    // Long enough to be noticed, and for failures to be weighed: another service's answers take their time.
    let slow = Request::get("page.example", "/kept?delay=300");
    let answers: Vec<_> = (0..14).map(|_| mesh.ingress("WEST_IN", &slow).status).collect();
    assert_eq!(answers, [200; 14]);
    let name = match data_plane {
        DataPlane::Envoy => "outlier_detection_ejections_detected",
        DataPlane::Meshd => "meshd_ejections_total",
    };
    let metrics = mesh.metrics("west/gateways/in");
    let ejected = |line: &&str| !line.starts_with('#') && line.contains(name) && !line.ends_with(" 0");
    let ejected: Vec<_> = metrics.lines().filter(ejected).collect();
    assert!(metrics.contains(name) || data_plane == DataPlane::Meshd, "{metrics}");
    assert!(ejected.is_empty(), "{ejected:?}");
    drop(unread);
}

crate::on_both_data_planes!(
    calls_end_with_their_own_time,
    requests_are_sent_again_as_the_route_says,
    who_does_not_read_is_no_silence_of_an_endpoint
);
