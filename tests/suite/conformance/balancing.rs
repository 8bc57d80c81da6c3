//! Which pod gets a request: any, by a parameter of the query, less at first; and what no default cuts meanwhile.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use mesh_tests::http::{Connection, Request};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

/// How long the share of what is back grows.
const WINDOW: Duration = Duration::from_secs(12);

/// In which time what is back is asked for, on a machine that may be busy: a third of the window.
const AT_FIRST: Duration = Duration::from_secs(4);

/// Each subset is a pod of its own. Nothing is said of `events`, so the defaults hold for it.
const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [any, keyed, grows, busy, events, quiet] }
  service any    { clusters = [west], port http { number = 80 }, subset a {}, subset b {}, subset c {} }
  service keyed  { clusters = [west], port http { number = 80 }, subset a {}, subset b {}, subset c {} }
  service grows  { clusters = [west], port http { number = 80 }, subset a {}, subset b {}, subset c {} }
  service busy   { clusters = [west], port http { number = 80 }, subset a {}, subset b {}, subset c {} }
  service events { clusters = [west], port http { number = 80 } }
  service quiet  { clusters = [west], port http { number = 80 } }
  route events { gateway = west.in, hosts = ["events.example"], to = events }
  policy any   { targets = [any], balance { by = random } }
  policy keyed { targets = [keyed], balance { by = hash { header = "x-shop", query = "user" } } }
  policy quiet { targets = [quiet], timeout { idle = 3s } }
  policy calm  { outlier { enabled = false } }
  policy grows {
    targets = [grows]
    balance { by = round_robin, slow_start = 12s }
    health  { check = http { path = "/" }, interval = 100ms, healthy = 1, unhealthy = 1 }
  }
  policy busy {
    targets = [busy]
    balance { by = least_request, slow_start = 12s }
    health  { check = http { path = "/" }, interval = 100ms, healthy = 1, unhealthy = 1 }
  }
}
"#;

fn variable(service: &str) -> String {
    format!("MESH_CALL_WEST_SHOP_WEB__SHOP_{}_80", service.to_uppercase())
}

/// The pods that answer requests to these targets, one after the other on one connection.
fn answered_by(mesh: &Mesh, service: &str, targets: &[String]) -> Vec<String> {
    let mut connection = Connection::open(mesh.address(&variable(service))).expect("the sidecar listens");
    let answers = targets.iter().map(|target| connection.send(&Request::get(service, target)));
    answers
        .map(|answer| {
            let answer = answer.expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.field("service")
        })
        .collect()
}

/// The pod that answers a request of a shop.
fn of_shop(mesh: &Mesh, shop: usize, target: &str) -> String {
    let request = Request::get("keyed", target).header("x-shop", &format!("s{shop}"));
    let answer = request.send(mesh.address(&variable("keyed")));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.field("service")
}

fn how_often(pods: &[String]) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    pods.iter().for_each(|pod| *counted.entry(pod.as_str()).or_insert(0) += 1);
    counted
}

/// At random: each gets a third, and a third of all requests goes where the one before went. In turn, none would.
fn any_pod_is_drawn(mesh: &Mesh) {
    let pods = answered_by(mesh, "any", &vec![String::from("/"); 300]);
    // 100 each, and as many repeated, with a standard deviation of 8.2: the bounds are six of them away.
    let shares = how_often(&pods);
    assert!(shares.len() == 3 && shares.values().all(|share| share.abs_diff(100) < 50), "{shares:?}");
    let repeated = pods.windows(2).filter(|two| two[0] == two[1]).count();
    assert!(repeated.abs_diff(100) < 50, "{repeated} of 300 went where the one before went");
}

/// The same value leads to the same pod, whatever else the query says. Without the parameter there is none.
fn a_parameter_leads_back(mesh: &Mesh) {
    let of_users = |form: fn(usize) -> String| {
        let targets: Vec<String> = (0..60).map(form).collect();
        answered_by(mesh, "keyed", &targets)
    };
    let places = of_users(|user| format!("/?user=u{user}"));
    assert_eq!(how_often(&places).len(), 3, "60 users are spread over the pods");
    assert_eq!(places, of_users(|user| format!("/other?page=2&user=u{user}")), "whatever else is asked for");
    assert_eq!(places, of_users(|user| format!("/?user=u{user}&user=u{}", user + 1)), "the first of several");
    let strangers = of_users(|stranger| format!("/?page={stranger}"));
    assert_eq!(how_often(&strangers).len(), 3, "a request without the parameter goes anywhere");
    // Two properties decide together, and one alone where the other is missing.
    for target in ["/?user=u1", "/"] {
        let shops = || (0..40).map(|shop| of_shop(mesh, shop, target)).collect::<Vec<_>>();
        let places = shops();
        assert_eq!(how_often(&places).len(), 3, "{target}: 40 shops are spread over the pods");
        assert_eq!(places, shops(), "{target}");
    }
    let users: Vec<_> = (0..40).map(|user| of_shop(mesh, 1, &format!("/?user=u{user}"))).collect();
    assert_eq!(how_often(&users).len(), 3, "40 users of one shop are spread over the pods");
}

/// What is back gets a tenth of a share, which grows to a whole one. The others are old enough when this begins.
fn what_is_back_gets_little_at_first(mesh: &Mesh, service: &str, started: Instant) {
    let back = format!("shop.{service}.b");
    let everybody = || how_often(&answered_by(mesh, service, &vec![String::from("/"); 60])).len();
    process::eventually("three pods answer", Duration::from_secs(30), || (everybody() == 3).then_some(()));
    // The machine may stop between the first answer and the last: then what was counted says nothing.
    let found = (0..10).any(|_| {
        mesh.fail(&back, "west", "error");
        process::eventually("it is left", Duration::from_secs(30), || {
            let mut connection = Connection::open(mesh.address(&variable(service))).expect("open");
            let mut ask = || connection.send(&Request::get(service, "/")).expect("an answer");
            (0..20)
                .all(|_| {
                    let answer = ask();
                    answer.status == 200 && answer.field("service") != back
                })
                .then_some(())
        });
        process::eventually("the others are old", Duration::from_secs(30), || {
            (started.elapsed() > WINDOW).then_some(())
        });
        let mut connection = Connection::open(mesh.address(&variable(service))).expect("open");
        let mut ask = || connection.send(&Request::get(service, "/")).expect("an answer").field("service");
        let healed = Instant::now();
        mesh.heal(&back, "west");
        process::eventually("it is found again", Duration::from_secs(30), || (ask() == back).then_some(()));
        let count = (0..100).filter(|_| ask() == back).count();
        if healed.elapsed() > AT_FIRST {
            return false;
        }
        // After a third of the window it weighs a third: 14 of 100 requests. A whole share is 33.
        assert!(count <= 25, "{service}: {count} of 100 requests go to what has just come back");
        true
    });
    assert!(found, "this machine never got 100 answers within {AT_FIRST:?}");
}

/// The share has grown.
fn what_is_back_gets_its_whole_share_later(mesh: &Mesh, service: &str) {
    let back = format!("shop.{service}.b");
    process::eventually("it has its whole share", Duration::from_secs(60), || {
        let pods = answered_by(mesh, service, &vec![String::from("/"); 90]);
        let own = how_often(&pods).get(back.as_str()).copied().unwrap_or_default();
        (own >= 26).then_some(())
    });
}

/// An application: `/events?count=5&every=4000` sends so many events, each after so many milliseconds of silence;
/// `/held?…` the same and then nothing any more; `/poll?every=17000` answers after that.
fn serve(application: TcpListener) {
    std::thread::spawn(move || {
        for stream in application.incoming().map_while(Result::ok) {
            std::thread::spawn(move || say(stream));
        }
    });
}

fn say(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    let number = |name: &str| {
        let (_, rest) = target.split_once(&format!("{name}="))?;
        rest.split('&').next()?.parse::<u64>().ok()
    };
    let every = Duration::from_millis(number("every").unwrap_or_default());
    if target.starts_with("/poll") {
        std::thread::sleep(every);
        return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnews");
    }
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    )?;
    for _ in 0..number("count").unwrap_or_default() {
        std::thread::sleep(every);
        stream.write_all(b"d\r\ndata: event\n\n\r\n")?;
    }
    if target.starts_with("/held") {
        // Until the proxy gives up.
        while stream.read(&mut byte)? > 0 {}
        return Ok(());
    }
    stream.write_all(b"0\r\n\r\n")
}

/// The status, the number of events, and whether the answer came to its end.
fn listen(address: SocketAddr, host: &str, target: &str) -> (String, usize, bool) {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
    let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("written");
    let (mut said, mut part) = (Vec::new(), [0; 4096]);
    // A reset ends it as well as an orderly end.
    while let Ok(count @ 1..) = stream.read(&mut part) {
        said.extend_from_slice(&part[..count]);
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    let status = said.split(' ').nth(1).unwrap_or_default().to_owned();
    let is_whole = said.ends_with("\r\n0\r\n\r\n") || said.ends_with("\r\n\r\nnews");
    (status, said.matches("data: event").count(), is_whole)
}

fn pods_get_what_the_balance_says_and_streams_go_on(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    let started = Instant::now();
    for service in ["events", "quiet"] {
        let name = format!("WEST_SIDECARS_SHOP_{}_80", service.to_uppercase());
        serve(mesh.replace(&format!("shop.{service}"), "west", &name));
    }
    let (events, quiet) = (mesh.address(&variable("events")), mesh.address(&variable("quiet")));
    let ingress = mesh.address("MESH_GATEWAY_WEST_IN");
    let ok = || String::from("200");
    std::thread::scope(|scope| {
        // Twenty seconds of events and a poll of seventeen: longer than what other meshes give a request by default.
        let streams: Vec<_> = [(events, "events.shop"), (ingress, "events.example")]
            .into_iter()
            .flat_map(|(address, host)| {
                let follow = move |target| scope.spawn(move || listen(address, host, target));
                [
                    (follow("/events?count=5&every=4000"), (ok(), 5, true)),
                    (follow("/poll?every=17000"), (ok(), 0, true)),
                ]
            })
            .collect();
        // A bound is one on silence: six seconds of events pass, and what follows them is cut.
        let bounded = [
            (scope.spawn(move || listen(quiet, "quiet", "/events?count=6&every=1000")), (ok(), 6, true)),
            (scope.spawn(move || listen(quiet, "quiet", "/held?count=6&every=1000")), (ok(), 6, false)),
            (
                scope.spawn(move || listen(quiet, "quiet", "/poll?every=17000")),
                (String::from("504"), 0, false),
            ),
        ];
        any_pod_is_drawn(&mesh);
        a_parameter_leads_back(&mesh);
        let [grows, busy] = ["grows", "busy"];
        what_is_back_gets_little_at_first(&mesh, grows, started);
        what_is_back_gets_little_at_first(&mesh, busy, started);
        what_is_back_gets_its_whole_share_later(&mesh, grows);
        what_is_back_gets_its_whole_share_later(&mesh, busy);
        for (stream, expected) in streams.into_iter().chain(bounded) {
            assert_eq!(stream.join().expect("no panic"), expected);
        }
    });
}

crate::on_both_data_planes!(pods_get_what_the_balance_says_and_streams_go_on);
