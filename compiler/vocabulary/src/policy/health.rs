//! `health`: checks of endpoints that do not wait for requests.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink};
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Name, Tag, Type};
use lang_evaluate::{Block, FromValue, Value};

use crate::codes;
use crate::forms;
use crate::model::policy::{Health, HealthCheck};
use crate::words;

const HTTP: &str = "http";
const GRPC: &str = "grpc";
const TCP: &str = "tcp";
const NONE: &str = "none";

const CHECKS: &[Tag] = &[
    Tag {
        word: HTTP,
        documentation: "a GET request is answered with a status from 200 to 399; at `http`, `http2` and `grpc` ports",
        attributes: &[Attribute::required(
            words::PATH,
            Type::Text(&forms::NEW_PATH),
            "Path at the application.",
        )],
    },
    Tag {
        word: GRPC,
        documentation: "a call of `grpc.health.v1.Health/Check` is answered with SERVING; at `http2` and `grpc` ports",
        attributes: &[Attribute::optional(
            words::SERVICE,
            Type::Text(&forms::GRPC_SERVICE),
            "The service that is asked about; without it the server as a whole.",
        )],
    },
    Tag {
        word: TCP,
        documentation: "mutual TLS with the pod's sidecar comes about, which alone says nothing about the application; at \
                        `tcp` ports the application may be spoken to as well",
        attributes: &[
            Attribute::optional(
                words::SEND,
                Type::Text(&forms::NON_EMPTY),
                "What is sent to the application.",
            ),
            Attribute::optional(
                words::RECEIVE,
                Type::Text(&forms::NON_EMPTY),
                "What has to be among the bytes that come from the application.",
            ),
        ],
    },
    Tag { word: NONE, documentation: "no checks, whatever policies of outer scopes want", attributes: &[] },
];

pub(crate) static KIND: Kind = Kind {
    word: "health",
    documentation: "Checks of endpoints that do not wait for requests: each caller's proxy asks each endpoint of the callee \
                    that it may send requests to. One that fails gets no requests, as if it were ejected, and other \
                    localities take over as after an ejection. When none of any locality is left, all are tried.\n\n\
                    In its own network a proxy checks each pod, in others the callee behind the east-west gateway: through \
                    each of the gateway's entries one of the pods behind it, so that a service that is down as a whole hands \
                    over to the next cluster, and one bad pod of several does not. A port is checked if the `check` suits its \
                    protocol. Hosts outside the mesh are not checked.\n\n\
                    An endpoint that was never asked is not healthy. It is after its first check, if it passes that; a proxy \
                    that starts, or gets a new configuration, waits for the first checks. Ejection goes on beside the checks: \
                    an endpoint gets requests if it is neither ejected nor unhealthy.\n\n\
                    Checks come in by a server name of their own (`check_.80_._.web.shop.…`), at which the callee's sidecar \
                    takes the declared callers only, and from them nothing but the check. So they need no `allow`, no `deny` \
                    stops them, they count in no limit, and no access log has them. Apply such a change to the callee's \
                    clusters first.\n\n\
                    Pods are asked by each proxy that calls them: of 20 callers with an interval of 10 s, twice a second.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::CHECK),
    relations: &[],
    attributes: &[
        Attribute::required(words::CHECK, Type::Tagged(CHECKS), "What is asked."),
        Attribute::defaulted(
            words::INTERVAL,
            Type::Duration,
            Constant::Milliseconds(10_000),
            "How long after the answer to a check the next one follows; up to a tenth of it is added at random.",
        ),
        Attribute::defaulted(
            words::TIMEOUT,
            Type::Duration,
            Constant::Milliseconds(1000),
            "How long a check may take, the connection included.",
        ),
        Attribute::derived(
            words::UNHEALTHY,
            Type::Integer(1, 1000),
            "3",
            "How many checks in a row have to fail before an endpoint is unhealthy.",
        ),
        Attribute::derived(
            words::HEALTHY,
            Type::Integer(1, 1000),
            "2",
            "How many checks in a row it has to pass before it is healthy again.",
        ),
    ],
    blocks: &[],
};

const UNHEALTHY: u32 = 3;
const HEALTHY: u32 = 2;

/// The shortest interval that is accepted: what is asked more often does little else.
const SHORTEST: Duration = Duration::from_millis(100);

impl FromValue for HealthCheck {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Tagged(word, record) = value else { return None };
        let text = |name: Name| {
            let (_, value) = record.iter().find(|(written, _)| written.value == name.text())?;
            String::from_value(&value.value)
        };
        match *word {
            HTTP => Some(Self::Http { path: text(words::PATH)? }),
            GRPC => Some(Self::Grpc { service: text(words::SERVICE).unwrap_or_default() }),
            TCP => Some(Self::Tcp { send: text(words::SEND), receive: text(words::RECEIVE) }),
            NONE => Some(Self::Off),
            _ => None,
        }
    }
}

/// Reports bounds on time with which checks make no sense.
pub(crate) fn check(parent: &Block, sink: &mut Sink) {
    let Some(block) = parent.block(&KIND) else { return };
    let time = |name| block.get::<Duration>(name);
    if let Some(interval) = time(words::INTERVAL).filter(|interval| interval.value < SHORTEST) {
        let message = "endpoints are checked at most ten times a second";
        sink.push(
            Diagnostic::error(codes::HEALTH_TIMES, interval.span, message)
                .label("shorter than 100ms")
                .help("use `interval = 100ms` or more"),
        );
    }
}

pub(crate) fn convert(block: &Block) -> Option<Health> {
    let count = |name, default| block.get::<u32>(name).map_or(default, |count| count.value);
    Some(Health {
        origin: block.origin(),
        check: block.get::<HealthCheck>(words::CHECK)?,
        interval: block.get::<Duration>(words::INTERVAL)?.value,
        timeout: block.get::<Duration>(words::TIMEOUT)?.value,
        unhealthy: count(words::UNHEALTHY, UNHEALTHY),
        healthy: count(words::HEALTHY, HEALTHY),
    })
}
