//! What proxies forward, and which headers they keep to themselves.

/// Headers that only proxies change: those of one connection, those that say where a body ends, the date that every
/// answer has, and those by which proxies tell applications and each other something. meshd has the same list; a test of the crate that sees both
/// compares them.
pub const PROXIES_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "date",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// The same for every name that begins so.
pub const PROXIES_HEADER_PREFIXES: [&str; 2] = ["x-envoy-", "x-forwarded-"];

/// But not these, which no proxy reads: below which path an application is published.
pub const APPLICATIONS_HEADERS: [&str; 1] = ["x-forwarded-prefix"];

/// Whether only proxies change the header, in lower case. Applications behind gateways of the CGI kind read an underscore
/// as a dash.
pub(crate) fn is_proxies_header(name: &str) -> bool {
    let name = name.replace('_', "-");
    let begins_so = PROXIES_HEADER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    PROXIES_HEADERS.contains(&name.as_str()) || (begins_so && !APPLICATIONS_HEADERS.contains(&name.as_str()))
}

/// The methods that are forwarded, by both data planes and over every version of HTTP. Source: the list of Envoy 1.40's
/// parser of HTTP/1.1, without CONNECT. The list of meshd is the same; a test of the crate that sees both compares them.
pub const METHODS: [&str; 34] = [
    "ACL",
    "BIND",
    "CHECKOUT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "MSEARCH",
    "NOTIFY",
    "OPTIONS",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
];
