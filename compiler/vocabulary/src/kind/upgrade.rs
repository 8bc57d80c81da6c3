//! `upgrade`: what requests may change to, as routes and rules have it.

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Symbol, Type};
use lang_evaluate::{Block, FromValue, Value};

use crate::codes;
use crate::model::Upgrade;
use crate::words;

const WEBSOCKET: &str = "websocket";
const CONNECT: &str = "connect";

const UPGRADES: &[Symbol] = &[
    Symbol::new(WEBSOCKET, "WebSocket, over HTTP/1.1 and over HTTP/2"),
    Symbol::new(
        CONNECT,
        "refused (`E0225`): a tunnel to a host and a port of the client's choice is no request to a service",
    ),
];

/// The attribute.
pub(crate) const UPGRADE: Attribute = Attribute::derived(
    words::UPGRADE,
    Type::list(&Type::Symbol(UPGRADES)),
    "`[websocket]` where all destinations are `http` ports, else `[]`",
    "The protocols that a request may change to. From then on no timeout applies but that for silence. What is not listed \
     is answered with 403. WebSocket reaches applications over HTTP/1.1 only, so on `http` ports. It is the only one: the \
     method CONNECT is refused on every route.",
);

/// What may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Carried(Upgrade),
    Connect,
}

impl FromValue for Asked {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Symbol(word) = value else { return None };
        match *word {
            WEBSOCKET => Some(Self::Carried(Upgrade::WebSocket)),
            CONNECT => Some(Self::Connect),
            _ => None,
        }
    }
}

/// What a block lists, if it lists anything.
pub(crate) fn of(block: &Block) -> Option<Spanned<Vec<Upgrade>>> {
    let list = block.get::<Vec<Spanned<Asked>>>(words::UPGRADE)?;
    Some(list.map(|list| {
        let carried = list.into_iter().filter_map(|asked| match asked.value {
            Asked::Carried(upgrade) => Some(upgrade),
            Asked::Connect => None,
        });
        carried.collect()
    }))
}

/// Reports what no route carries.
pub(crate) fn check(block: &Block, sink: &mut Sink) {
    let list = block.get::<Vec<Spanned<Asked>>>(words::UPGRADE);
    for asked in list.iter().flat_map(|list| &list.value).filter(|asked| asked.value == Asked::Connect) {
        sink.push(
            Diagnostic::error(codes::CONNECT_NOT_CARRIED, asked.span, "no route carries CONNECT")
                .label("a client would choose the host and the port")
                .help("remove `connect`; for connections of bytes, declare a port with `protocol = tcp`"),
        );
    }
}
