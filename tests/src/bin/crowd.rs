//! A crowd of clients at one address of this machine, or of a network that a test made, with a few good ones among them: what memory is measured under.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mesh_tests::crowd::{Crowd, Kind, Tally, good_request};
use serde_json::json;
use tokio::sync::oneshot;

const USAGE: &str = "usage: crowd ADDRESS HOST PATH --idle N --unread N --slow N --seconds N";

/// How soon a good client comes again.
const PAUSE: Duration = Duration::from_millis(10);

/// Opens the crowd, stays for the time, and says what became of everybody as JSON. Good requests are sent from the first
/// client on.
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or_else(|| std::io::Error::new(ErrorKind::InvalidInput, USAGE));
    let (address, host, path) = (next()?, next()?, next()?);
    let address: SocketAddr = address.parse().map_err(std::io::Error::other)?;
    let (mut counts, mut seconds) = ([0; 3], 10);
    while let Ok(option) = next() {
        let number: usize = next()?.parse().map_err(std::io::Error::other)?;
        match option.as_str() {
            "--idle" => counts[0] = number,
            "--unread" => counts[1] = number,
            "--slow" => counts[2] = number,
            "--seconds" => seconds = number,
            _ => return Err(std::io::Error::new(ErrorKind::InvalidInput, USAGE)),
        }
    }
    assert!(address.ip().is_loopback() || in_a_namespace()?, "{address} is not on this machine");
    let start = Instant::now();
    let [idle, unread, slow] = counts;
    let (enough, mut told) = oneshot::channel::<()>();
    let good = tokio::spawn({
        let host = host.clone();
        async move {
            let mut tally = Tally::default();
            while told.try_recv().is_err() {
                tally.add(good_request(address, &host).await);
                tokio::time::sleep(PAUSE).await;
            }
            tally
        }
    });
    let mut crowd = Crowd::new(address, &host);
    crowd.come(Kind::Idle, idle, "/").await;
    crowd.come(Kind::Slow, slow, "/").await;
    crowd.come(Kind::Unread, unread, &path).await;
    let came = start.elapsed().as_secs_f64();
    let mut most_unread = crowd.connected(Kind::Unread)?;
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_millis(1001)).await;
        crowd.send_slowly().await;
        most_unread = most_unread.max(crowd.connected(Kind::Unread)?);
    }
    let _ = enough.send(());
    let tally = good.await.map_err(std::io::Error::other)?;
    let (answered, failed, [median, late, slowest]) = tally.figures();
    // To read what waits at those who do not read would fetch all of it.
    let unread = crowd.connected(Kind::Unread)?;
    let [idle, slow] = [Kind::Idle, Kind::Slow].map(|kind| crowd.present(kind));
    let tenths = |number: f64| (number * 10.0).round() / 10.0;
    println!(
        "{}",
        json!({
            "came_in_s": tenths(came),
            "most_unread": most_unread,
            "answered": answered,
            "failed": failed,
            "median_ms": tenths(median),
            "p99_ms": tenths(late),
            "slowest_ms": tenths(slowest),
            "idle": idle,
            "unread": unread,
            "slow": slow,
        })
    );
    Ok(())
}

/// Whether this is a pod: a network of its own, which is not the one of the first process.
fn in_a_namespace() -> std::io::Result<bool> {
    let network = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net"));
    Ok(network("1")? != network("self")?)
}
