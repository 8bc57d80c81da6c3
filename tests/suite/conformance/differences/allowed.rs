//! Where the two data planes differ about odd requests, and why that stays. Each is in the reference.

use super::requests::At;

/// A difference that stays.
#[derive(Debug)]
pub(super) struct Allowed {
    /// Where; `None` is everywhere.
    at: Option<At>,
    /// The names of the requests, or how they begin where there is a `*` at the end.
    names: &'static [&'static str],
    /// How Envoy's outcome begins.
    envoy: &'static str,
    /// How meshd's outcome begins.
    meshd: &'static str,
    /// Why it stays.
    #[expect(dead_code, reason = "it is read in reports")]
    why: &'static str,
}

impl Allowed {
    /// Whether this is that difference.
    pub(super) fn covers(&self, at: At, name: &str, envoy: &str, meshd: &str) -> bool {
        self.at.is_none_or(|place| place == at)
            && self.names.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == *pattern,
            })
            && envoy.starts_with(self.envoy)
            && meshd.starts_with(self.meshd)
    }
}

/// All of them.
pub(super) const ALLOWED: &[Allowed] = &[
    Allowed {
        at: None,
        names: &["target //", "h2 target //"],
        envoy: "200 GET // ",
        meshd: "200 GET / ",
        why: "Envoy merges slashes but for a path that is nothing else",
    },
    Allowed {
        at: None,
        names: &[
            "target /a#b",
            "target /#",
            "target /a?b#c",
            "h2 target /a#b",
            "h2 target /#",
            "h2 target /a?b#c",
            "h2 combination 35",
        ],
        envoy: "refused",
        meshd: "200",
        why: "meshd drops a fragment before anything is decided, Envoy refuses it",
    },
    Allowed {
        at: None,
        names: &[
            "target /<",
            "target />",
            "target /a<b>c",
            "target /a`b",
            "h2 target /<",
            "h2 target />",
            "h2 target /a<b>c",
            "h2 target /a`b",
            "h2 combination 15",
            "combination 32",
            "h2 combination 46",
        ],
        envoy: "200",
        meshd: "refused",
        why: "Envoy escapes what may not stand in a path before anything could refuse it",
    },
    Allowed {
        at: None,
        names: &[r"h2 target /\xc3\xa4", r"h2 target /\xff", r"h2 target /a?\xc3\xa4"],
        envoy: "200",
        meshd: "refused",
        why: "the same for bytes beyond ASCII over HTTP/2; over HTTP/1.1 both refuse them",
    },
    Allowed {
        at: Some(At::Ingress),
        names: &["host *", "h2 host *", "two hosts", "two different hosts", "h2 combination 42"],
        envoy: "404",
        meshd: "refused",
        why: "what is no host has no route in Envoy",
    },
    Allowed {
        at: Some(At::Sidecar),
        names: &["h2 combination 42"],
        envoy: "200",
        meshd: "refused",
        why: "a path beyond ASCII over HTTP/2, as above",
    },
    Allowed {
        at: None,
        names: &["target http://{host}?a"],
        envoy: "404",
        meshd: "refused",
        why: "no path in an absolute target",
    },
    Allowed {
        at: Some(At::Sidecar),
        names: &["target https://{host}/a"],
        envoy: "200",
        meshd: "403",
        why: "Envoy looks at the scheme of a target where strangers connect only",
    },
    Allowed {
        at: None,
        names: &[r"line x-b: 1\r\n*", r"ending x-a: 1\r*"],
        envoy: "200",
        meshd: "refused",
        why: "Envoy joins folded lines and drops a carriage return inside a line",
    },
    Allowed {
        at: None,
        names: &[r"length content-length: 3\r\ncontent-length: 3\r\n"],
        envoy: "refused",
        meshd: "200",
        why: "meshd makes one of lengths that are equal",
    },
    Allowed {
        at: None,
        names: &[r"coding transfer-encoding: chunked\r\ncontent-length: 3\r\n"],
        envoy: "refused",
        meshd: "200",
        why: "meshd drops a length beside chunked and closes the connection after its answer",
    },
    Allowed {
        at: None,
        names: &[
            "first line GET / HTTP/1.1 ",
            "first line GET  / HTTP/1.1",
            "first line GET /  HTTP/1.1",
            r"first line GET\t/\tHTTP/1.1",
        ],
        envoy: "200",
        meshd: "refused",
        why: "Envoy takes any white space between the parts of the first line",
    },
    Allowed {
        at: None,
        names: &["h2 scheme "],
        envoy: "refused",
        meshd: "200",
        why: "meshd takes an empty scheme for that of the connection",
    },
    Allowed {
        at: None,
        names: &["h2 trailers with a pseudo header"],
        envoy: "refused",
        meshd: "200",
        why: "meshd drops such a trailer",
    },
];
