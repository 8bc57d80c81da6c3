//! What the kernel does for connections: signs of life on silent ones, and a bound on what waits to be sent. A peer that
//! vanished with its machine says nothing, and bytes that are only relayed have no other bound: without this their
//! sockets would stay for ever.

use std::time::Duration;

use meshc_plan::{Group, Serves};

use crate::pb::base::{SocketOption, TcpKeepalive, socket_option};
use crate::pb::cluster::UpstreamConnectionOptions;
use crate::pb::number;

/// How long a connection may be silent before its other end is asked, and how often that is repeated. meshd has the
/// same numbers (`runtime/proxy/src/listen.rs`).
const AFTER: Duration = Duration::from_secs(60);
/// See [`AFTER`].
const EVERY: Duration = Duration::from_secs(20);
/// How many times in vain.
const TIMES: u32 = 3;

/// Linux: `SOL_SOCKET` with `SO_KEEPALIVE`.
const KEEPALIVE: (i64, i64) = (1, 9);
/// Linux: `IPPROTO_TCP` with `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT` (tcp(7)).
const IDLE: (i64, i64) = (6, 4);
/// See [`IDLE`].
const INTERVAL: (i64, i64) = (6, 5);
/// See [`IDLE`].
const COUNT: (i64, i64) = (6, 6);

/// Linux: `IPPROTO_TCP` with `TCP_NOTSENT_LOWAT` (tcp(7)).
const UNSENT: (i64, i64) = (6, 25);
/// How much may wait in the kernel that a client has no room for, in bytes; meshd has the same. What is on its way does
/// not count. Without it the kernel takes up to four MiB for each client that does not read.
const MOST_UNSENT: u32 = 32 * 1024;

/// For connections to other proxies; `None` for a group on this machine.
pub(crate) fn upstream(group: &Group) -> Option<UpstreamConnectionOptions> {
    let leaves = group.endpoints.iter().any(|endpoint| match endpoint.serves {
        Serves::Proxy { .. } | Serves::External { .. } => true,
        Serves::App | Serves::RateLimit => false,
    });
    let keepalive = TcpKeepalive {
        keepalive_probes: number(TIMES),
        keepalive_time: number(seconds(AFTER)),
        keepalive_interval: number(seconds(EVERY)),
    };
    let options = UpstreamConnectionOptions { tcp_keepalive: Some(keepalive), ..Default::default() };
    leaves.then_some(options)
}

/// For a listener that applications or strangers call: connections inherit it from its socket.
pub(crate) fn unsent() -> SocketOption {
    option(UNSENT, MOST_UNSENT, "bytes that wait to be sent")
}

/// An option of a socket, by its level and name.
pub(crate) fn option((level, name): (i64, i64), value: u32, description: &str) -> SocketOption {
    SocketOption {
        description: description.to_owned(),
        level,
        name,
        value: Some(socket_option::Value::IntValue(value.into())),
        ..Default::default()
    }
}

/// For a listener that other proxies call.
pub(crate) fn downstream() -> Vec<SocketOption> {
    vec![
        unsent(),
        option(KEEPALIVE, 1, "keepalive"),
        option(IDLE, seconds(AFTER), "seconds of silence"),
        option(INTERVAL, seconds(EVERY), "seconds between probes"),
        option(COUNT, TIMES, "probes in vain"),
    ]
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
