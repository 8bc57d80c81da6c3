//! Routes: where requests go, from outside the mesh and inside it.

use lang_diagnostics::{Origin, Span, Spanned};

use super::answer::RuleAction;
use super::filter::RouteFilter;
use super::policy::{Bound, Retry};
use super::{Callee, Gateway, GatewayPort, GatewayProtocol, Id, Model, Namespace, Service};

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name, unique in its namespace.
    pub name: String,
    /// Its namespace.
    pub namespace: Id<Namespace>,
    /// Whose requests it is for.
    pub scope: RouteScope,
    /// Ordered rules; the first that matches wins; never empty.
    pub rules: Vec<RouteRule>,
}

/// Whose requests a route is for.
#[derive(Clone, Debug)]
pub enum RouteScope {
    /// Those from outside.
    Gateways(AtGateways),
    /// Calls between services.
    Calls(OfCalls),
}

/// Requests from outside.
#[derive(Clone, Debug)]
pub struct AtGateways {
    /// The gateways that serve the route, in source order; never empty.
    pub gateways: Vec<Spanned<Id<Gateway>>>,
    /// Ports of gateways, where only some of a gateway's are meant, in source order.
    pub ports: Vec<GatewayPortName>,
    /// What these ports do with connections.
    pub protocol: GatewayProtocol,
    /// Host names, lower case; `*.example.org` matches any one or more leading labels, `*` everything.
    pub hosts: Vec<Spanned<String>>,
}

/// Whether everything that `host` means is meant by `pattern` too. Either is a host name in lower case, `*.example.org` for
/// one or more leading labels, or `*` for everything.
#[must_use]
pub fn contains_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => {
            let (rest, some_label) = match host.strip_prefix('*') {
                Some(rest) => (rest, true),
                None => (host, host.len() > suffix.len()),
            };
            rest.ends_with(suffix) && some_label
        }
        None => pattern == host,
    }
}

/// A port of a gateway that a route names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayPortName {
    /// The gateway.
    pub gateway: Id<Gateway>,
    /// The name of the port.
    pub port: Spanned<String>,
}

impl AtGateways {
    /// Whether the route is served at this port of one of its gateways: at all that take requests, unless it names some.
    #[must_use]
    pub fn serves(&self, gateway: Id<Gateway>, port: &GatewayPort) -> bool {
        let mut named = self.ports.iter().filter(|named| named.gateway == gateway).peekable();
        match named.peek() {
            None => port.protocol == GatewayProtocol::Http,
            Some(_) => named.any(|named| named.port.value == port.name),
        }
    }
}

/// Calls between services, as the callers' sidecars see them.
#[derive(Clone, Debug)]
pub struct OfCalls {
    /// What is called, in source order; never empty.
    pub callees: Vec<RoutedCallee>,
    /// Whose calls, in source order; empty: everybody's.
    pub from: Vec<Spanned<CallSource>>,
}

/// A service whose calls a route takes.
#[derive(Clone, Debug)]
pub struct RoutedCallee {
    /// Where the route names it.
    pub span: Span,
    /// The service.
    pub service: Id<Service>,
    /// Name of its port; `None`: all ports that carry requests.
    pub port: Option<Spanned<String>>,
}

/// Whose calls a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallSource {
    /// Those of a service or client.
    Service(Id<Service>),
    /// Those of everybody in a namespace.
    Namespace(Id<Namespace>),
}

impl CallSource {
    /// Whether calls of this service are meant.
    #[must_use]
    pub fn means(self, model: &Model, caller: Id<Service>) -> bool {
        match self {
            Self::Service(service) => service == caller,
            Self::Namespace(namespace) => model.services.at(caller).namespace == namespace,
        }
    }
}

impl RouteScope {
    /// The gateways that serve the route; none if it is for calls.
    #[must_use]
    pub const fn gateways(&self) -> &[Spanned<Id<Gateway>>] {
        match self {
            Self::Gateways(at) => at.gateways.as_slice(),
            Self::Calls(_) => &[],
        }
    }
}

/// One rule of a route.
#[derive(Clone, Debug)]
pub struct RouteRule {
    /// Where it is declared.
    pub origin: Origin,
    /// Which requests: those that meet any of these; never empty.
    pub matches: Vec<HttpMatch>,
    /// What becomes of them.
    pub action: RuleAction,
    /// What becomes of the share of a destination that is dead.
    pub dead_share: DeadShare,
    /// What is done with requests and answers on their way, in order.
    pub filters: Vec<RouteFilter>,
    /// Route timeout, if this rule sets one or says that there is none.
    pub timeout: Option<Bound>,
    /// Retries, if this rule sets them.
    pub retry: Option<Retry>,
    /// Where it is said that it has to be served after each single loss.
    pub critical: Option<Span>,
    /// What a request may change to, if this rule says so.
    pub upgrade: Option<Spanned<Vec<Upgrade>>>,
}

/// A protocol that a request may change to, so that what follows on its connection or stream is no HTTP any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Upgrade {
    /// WebSocket (RFC 6455; RFC 8441 over HTTP/2).
    WebSocket,
}

/// One of a rule's destinations.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Where it is declared.
    pub origin: Origin,
    /// What is called.
    pub callee: Callee,
    /// Name of the port, if the callee has several.
    pub port: Option<Spanned<String>>,
    /// Relative weight; of those of a rule at least one is not 0.
    pub weight: u32,
}

/// What becomes of a destination's share while none of its endpoints is left, in any locality: all are ejected or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeadShare {
    /// It stays where it is, so that these requests fail: a version that is tried out takes nobody else's place.
    Kept,
    /// The others take it, each as much of it as it weighs. A destination of weight 0 takes none.
    ToOthers,
}

/// Which requests: all conditions hold at once. An empty match is every request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HttpMatch {
    /// The normalised path.
    pub path: PathMatch,
    /// Methods in upper case; empty means any.
    pub methods: Vec<String>,
    /// Headers, and cookies as what they are: a part of one.
    pub headers: Vec<HeaderMatch>,
    /// Parameters of the query.
    pub queries: Vec<QueryMatch>,
    /// What may not hold, none of it.
    pub not: Vec<NotMatch>,
}

/// A condition that may not hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NotMatch {
    /// The path. An expression matches no `?`, and asks for nothing around it.
    Path(PathMatch),
    /// The method is one of these; never empty.
    Methods(Vec<String>),
}

impl HttpMatch {
    /// Every request.
    pub const EVERYTHING: Self = Self {
        path: PathMatch::Any,
        methods: Vec::new(),
        headers: Vec::new(),
        queries: Vec::new(),
        not: Vec::new(),
    };
}

/// A condition on the path, without its query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum PathMatch {
    /// Any path.
    #[default]
    Any,
    /// Exactly this one.
    Exact(String),
    /// This path or anything below it, by whole segments: `/items` matches `/items/1`, not `/itemsfoo`.
    Prefix(String),
    /// Any path whose text begins with this: `/items` matches `/itemsfoo` too.
    StartsWith(String),
    /// The whole path matches this regular expression (RE2 syntax without look-around).
    Regex(String),
}

/// A condition on a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderMatch {
    /// Lower-case name.
    pub name: String,
    /// Whether no line of the header may meet the condition, instead of one that must. The empty value does not meet it
    /// then, unless the condition is that the header is there.
    pub negated: bool,
    /// Condition on the value.
    pub value: StringMatch,
}

/// A condition on a parameter of the query, which is compared as it is sent, escapes included.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueryMatch {
    /// The parameter's name.
    pub name: String,
    /// Whether no parameter of this name may meet the condition, instead of one that must.
    pub negated: bool,
    /// Condition on the value, which is empty without an equals sign.
    pub value: QueryValue,
}

/// A condition on a parameter's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueryValue {
    /// Any, but the parameter must be there.
    Present,
    /// Exactly this one.
    Exact(String),
    /// Begins with this.
    Prefix(String),
    /// The whole value matches.
    Regex {
        /// The expression, in which nothing matches `&` and nothing asks what is around it.
        expression: String,
        /// Whether the empty value meets it, and so a parameter without an equals sign.
        is_met_by_nothing: bool,
    },
}

/// A condition on a string.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StringMatch {
    /// Present with any value.
    Present,
    /// Exactly this one.
    Exact(String),
    /// Begins with this.
    Prefix(String),
    /// The whole value matches.
    Regex(String),
}

#[cfg(test)]
mod tests {
    use super::contains_host;

    #[test]
    fn a_pattern_contains_what_is_more_specific() {
        for (pattern, host) in [
            ("*", "*"),
            ("*", "a.example"),
            ("*", "*.example"),
            ("*.example", "a.example"),
            ("*.example", "b.a.example"),
            ("*.example", "*.example"),
            ("*.example", "*.a.example"),
            ("a.example", "a.example"),
        ] {
            assert!(contains_host(pattern, host), "{pattern} {host}");
        }
        for (pattern, host) in [
            ("*.example", "example"),
            ("*.example", "*"),
            ("*.example", "a.anexample"),
            ("*.a.example", "*.example"),
            ("a.example", "*.example"),
            ("a.example", "b.example"),
        ] {
            assert!(!contains_host(pattern, host), "{pattern} {host}");
        }
    }
}
