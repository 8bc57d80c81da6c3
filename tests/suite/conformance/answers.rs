//! Answers of applications, written byte by byte: what passes, what is refused, and that nothing of one is left for the
//! next request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use mesh_tests::mesh::{DataPlane, Mesh};

const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west { network = net, region = "here" }
namespace shop {
  client web { clusters = [west], calls = [cart] }
  service cart { clusters = [west], port http { number = 80 } }
  policy cart { outlier { enabled = false } }
}
"#;

/// What a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// This status and this body, with an end that shows that it is whole.
    Whole(u16, &'static str),
    /// A status, and a body that is cut.
    Cut(u16),
    /// The proxy's own answer.
    Refused(u16),
}

use Seen::{Cut, Refused, Whole};

/// Answers, and what clients see of them on Envoy and on meshd.
const ANSWERS: &[(&str, &str, Seen, Seen)] = &[
    (
        "early",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        Whole(200, "ok"),
        Whole(200, "ok"),
    ),
    (
        "continue",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        Whole(200, "ok"),
        Whole(200, "ok"),
    ),
    (
        "until-close",
        "HTTP/1.0 200 OK\r\n\r\nuntil close",
        Whole(200, "until close"),
        Whole(200, "until close"),
    ),
    (
        "extensions",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2 ; c=\"d\"\r\nde\r\n0;x\r\nx-trailer: 1\r\n\r\n",
        Whole(200, "abcde"),
        Whole(200, "abcde"),
    ),
    (
        "two-answers",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        Whole(200, "ok"),
        Whole(200, "ok"),
    ),
    ("no-reason", "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok"), Whole(200, "ok")),
    ("nothing", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", Whole(204, ""), Whole(204, "")),
    ("unchanged", "HTTP/1.1 304 Not Modified\r\ncontent-length: 50\r\n\r\n", Whole(304, ""), Whole(304, "")),
    ("short", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", Cut(200), Cut(200)),
    (
        "short-chunks",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        Cut(200),
        Cut(200),
    ),
    ("silence", "", Refused(503), Refused(503)),
    ("other-protocol", "SSH-2.0-Server\r\n\r\n", Refused(502), Refused(502)),
    ("plus", "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok", Refused(502), Refused(502)),
    (
        "two-lengths",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!",
        Refused(502),
        Refused(502),
    ),
    (
        "equal-lengths",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        Refused(502),
        Refused(502),
    ),
    (
        "length-and-chunks",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        Refused(502),
        Refused(502),
    ),
    (
        "nothing-and-length",
        "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
        Refused(502),
        Refused(502),
    ),
    (
        "nothing-and-chunks",
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(502),
        Refused(502),
    ),
    ("nul", "HTTP/1.1 200 OK\r\nx-a: 1\x002\r\ncontent-length: 2\r\n\r\nok", Refused(502), Refused(502)),
    ("space", "HTTP/1.1 200 OK\r\nx a: 1\r\ncontent-length: 2\r\n\r\nok", Refused(502), Refused(502)),
    ("status", "HTTP/1.1 099 Odd\r\ncontent-length: 2\r\n\r\nok", Refused(502), Refused(502)),
    // As the reference says.
    (
        "folded",
        "HTTP/1.1 200 OK\r\nx-a: 1\r\n 2\r\ncontent-length: 2\r\n\r\nok",
        Whole(200, "ok"),
        Refused(502),
    ),
    (
        "changes",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        Whole(101, ""),
        Refused(502),
    ),
    (
        "no-number",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
        Cut(200),
        Refused(503),
    ),
];

/// Answers each request with what is listed for its path, and then closes; anything else, and on, with `well`.
fn serve(application: TcpListener) {
    for stream in application.incoming().map_while(Result::ok) {
        std::thread::spawn(move || converse(stream));
    }
}

fn converse(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte)? == 0 {
                return Ok(());
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let listed = ANSWERS.iter().find(|(name, ..)| path.strip_prefix('/') == Some(*name));
        if path == "/hop" {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\nok",
            )?;
            continue;
        }
        let Some((_, answer, ..)) = listed else {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell")?;
            continue;
        };
        // The end leaves with the answer: where it comes a moment later, a proxy may have used the connection again.
        socket2::SockRef::from(&stream).set_tcp_cork(true)?;
        stream.write_all(answer.as_bytes())?;
        return stream.shutdown(std::net::Shutdown::Write);
    }
}

fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the sidecar listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    let request = format!("{method} {path} HTTP/1.1\r\nhost: cart.shop\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = Vec::new();
    // A body that is cut may end with a reset.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn seen(answer: &str, expected: Seen) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let is = |status: u16| head.starts_with(&format!("HTTP/1.1 {status} "));
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    let is_chunked = head.contains("transfer-encoding: chunked");
    let is_whole = if is_chunked {
        body.ends_with("0\r\n\r\n")
    } else {
        length.is_none_or(|length| body.len() == length)
    };
    match expected {
        // Nothing follows these, whatever they say about a length.
        Whole(status @ (101 | 204 | 304), _) => is(status) && body.is_empty(),
        Whole(status, text) => is(status) && is_whole && plain(body, is_chunked) == text,
        Cut(status) => is(status) && !is_whole,
        Refused(status) => is(status) && is_whole && body.starts_with("upstream connect error"),
    }
}

/// A body without its chunks.
fn plain(body: &str, is_chunked: bool) -> String {
    if is_chunked { body.split("\r\n").skip(1).step_by(2).collect() } else { body.to_owned() }
}

fn an_answer_is_whole_or_refused(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let cart = mesh.replace("shop.cart", "west", "WEST_SIDECARS_SHOP_CART_80");
    std::thread::spawn(move || serve(cart));
    let address = mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_CART_80");
    for (name, _, on_envoy, on_meshd) in ANSWERS {
        let expected = match data_plane {
            DataPlane::Envoy => *on_envoy,
            DataPlane::Meshd => *on_meshd,
        };
        let answer = ask(address, "GET", &format!("/{name}"));
        assert!(seen(&answer, expected), "{name}: {expected:?}: {answer}");
        let next = ask(address, "GET", "/next");
        assert!(next.ends_with("\r\n\r\nwell"), "after {name}: {next}");
    }
    let hop = ask(address, "GET", "/hop");
    assert!(hop.ends_with("ok") && hop.contains("x-hop: 1") == (data_plane == DataPlane::Envoy), "{hop}");
    let head = ask(address, "HEAD", "/short");
    assert!(
        head.contains("content-length: 10\r\n") && head.ends_with("\r\n\r\n"),
        "a HEAD has no body: {head}"
    );
}

crate::on_both_data_planes!(an_answer_is_whole_or_refused);
