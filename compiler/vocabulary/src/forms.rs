//! What strings and names must look like.

use std::net::Ipv6Addr;

use lang_evaluate::schema::Pattern;

use crate::expressions;
use crate::forwarded::METHODS;

/// A name between a block's word and its brace. Whether Kubernetes can bear it is checked on the model, where the
/// derived names are known too.
pub(crate) static NAME: Pattern = Pattern { name: "a name", check: name };

/// A DNS label (RFC 1123, section 2.1, in lower case as Kubernetes wants it).
pub(crate) static DNS_LABEL: Pattern = Pattern { name: "a DNS label", check: dns_label };

/// Several DNS labels.
pub(crate) static DNS_NAME: Pattern = Pattern { name: "a DNS name", check: dns_name };

/// The name of a Secret. One of another namespace has the form that a reference has elsewhere, so that it is reported for
/// what it is when it is read (`kind::secrets`).
pub(crate) static SECRET: Pattern =
    Pattern { name: "the name of a Secret", check: |text| text.splitn(2, '/').find_map(dns_name) };

/// A host name of a route, possibly beginning with `*.`.
pub(crate) static HOST_PATTERN: Pattern = Pattern { name: "a host name", check: host_pattern };

/// The name of a gateway, possibly with that of a port behind it.
pub(crate) static GATEWAY_NAME: Pattern =
    Pattern { name: "the name of a gateway", check: |text| text.splitn(2, '.').find_map(name) };

/// A URI or DNS name in a client's certificate, possibly with `*` at its end.
pub(crate) static CLIENT_NAME: Pattern = Pattern { name: "a client's name", check: client_name };

/// A header's name (RFC 9110, section 5.1).
pub(crate) static HEADER_NAME: Pattern = Pattern { name: "a header name", check: header_name };

/// The name of a header that is compared: what a client or an application sends, and proxies leave as it is.
pub(crate) static SENT_HEADER_NAME: Pattern =
    Pattern { name: "the name of a header that clients send", check: sent_header_name };

/// A header's value as it can be compared.
pub(crate) static HEADER_VALUE: Pattern = Pattern { name: "a header value", check: header_value };

/// A cookie's name (RFC 6265, section 4.1.1).
pub(crate) static COOKIE_NAME: Pattern = Pattern { name: "a cookie's name", check: header_name };

/// A cookie's value as it can be compared.
pub(crate) static COOKIE_VALUE: Pattern = Pattern { name: "a cookie's value", check: cookie_value };

/// An expression for the value of a cookie.
pub(crate) static COOKIE_REGEX: Pattern = Pattern {
    name: "a regular expression for the value of a cookie",
    check: |text| expressions::wrong_before(text, b';'),
};

/// An expression for the value of a parameter of a query.
pub(crate) static QUERY_REGEX: Pattern = Pattern {
    name: "a regular expression for a value in a query",
    check: |text| expressions::wrong_before(text, b'&'),
};

/// An expression for a path that may not be.
pub(crate) static NOT_PATH_REGEX: Pattern = Pattern {
    name: "a regular expression for a path without its query",
    check: |text| expressions::wrong_before(text, b'?'),
};

/// The name of a parameter of a query, as it is sent.
pub(crate) static QUERY_NAME: Pattern = Pattern {
    name: "a parameter's name",
    check: |text| non_empty(text).or_else(|| in_query(text, &['&', '=', '#'])),
};

/// The value of a parameter of a query, as it is sent.
pub(crate) static QUERY_VALUE: Pattern =
    Pattern { name: "a parameter's value", check: |text| in_query(text, &['&', '#']) };

/// The full name of a gRPC service.
pub(crate) static GRPC_SERVICE: Pattern =
    Pattern { name: "a gRPC service", check: |text| text.split('.').find_map(identifier) };

/// The name of a gRPC method.
pub(crate) static GRPC_METHOD: Pattern = Pattern { name: "a gRPC method", check: identifier };

/// The origin of a page as browsers send it (RFC 6454, section 6.2), or a pattern for some.
pub(crate) static ORIGIN: Pattern = Pattern { name: "an origin", check: origin };

/// A method, or `*` for all.
pub(crate) static ANY_METHOD: Pattern =
    Pattern { name: "a method", check: |text| if text == "*" { None } else { method(text) } };

/// A header's name, or `*` for all.
pub(crate) static CORS_HEADER: Pattern =
    Pattern { name: "a header name", check: |text| if text == "*" { None } else { header_name(text) } };

/// A request's method (RFC 9110, section 9.1).
pub(crate) static METHOD: Pattern = Pattern { name: "a method", check: method };

/// The path of a request, without query.
pub(crate) static PATH: Pattern = Pattern { name: "a path", check: path };

/// The host of a rewrite or redirect.
pub(crate) static HOST: Pattern =
    Pattern { name: "a host name", check: |text| dns_name(&text.to_ascii_lowercase()) };

/// A path that a proxy writes: as it is after normalisation.
pub(crate) static NEW_PATH: Pattern = Pattern { name: "a path", check: new_path };

/// The same with references to the groups of an expression.
pub(crate) static SUBSTITUTION: Pattern = Pattern { name: "a path with references", check: substitution };

/// The body of an answer. The bound is Envoy's default for answers of its routes.
pub(crate) static BODY: Pattern = Pattern {
    name: "a body",
    check: |text| (text.len() > 4096).then(|| format!("it has {} bytes and may have 4096", text.len())),
};

/// A regular expression in the syntax that both data planes share (RE2: no look-around, no back references), over bytes.
pub(crate) static REGEX: Pattern = Pattern { name: "a regular expression", check: expressions::wrong };

/// A SPIFFE trust domain (SPIFFE-ID specification, section 2.1).
pub(crate) static TRUST_DOMAIN: Pattern = Pattern { name: "a trust domain", check: trust_domain };

/// A string with at least one character.
pub(crate) static NON_EMPTY: Pattern = Pattern { name: "a string", check: non_empty };

/// The domain of a rate limit, which is the name of its file too.
pub(crate) static LIMIT_DOMAIN: Pattern = Pattern { name: "a rate-limit domain", check: limit_domain };

/// The key of a label or annotation (Kubernetes documentation, "Labels and Selectors").
pub(crate) static LABEL_KEY: Pattern = Pattern { name: "a key", check: label_key };

/// The key of a label of a gateway's objects, which have some already.
pub(crate) static GATEWAY_LABEL_KEY: Pattern = Pattern {
    name: "a key",
    check: |text| {
        let own = ["component", "managed-by", "name"];
        let is_own = text.strip_prefix("app.kubernetes.io/").is_some_and(|name| own.contains(&name));
        if is_own {
            wrong("meshc sets this label, by which it finds the gateway's pods")
        } else {
            label_key(text)
        }
    },
};

/// The value of a label.
pub(crate) static LABEL_VALUE: Pattern = Pattern { name: "a label's value", check: label_value };

/// A Kubernetes version, `major.minor`.
pub(crate) static KUBERNETES_VERSION: Pattern = Pattern {
    name: "a Kubernetes version",
    check: |text| {
        kubernetes_version(text).is_none().then(|| String::from("written as major.minor, such as \"1.33\""))
    },
};

/// The prefix of the labels by which meshc finds its own pods.
const OWN_LABELS: &str = "mesh.meshc.dev";

/// Major and minor number of a Kubernetes version.
pub(crate) fn kubernetes_version(text: &str) -> Option<(u16, u16)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn wrong(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn name(text: &str) -> Option<String> {
    if text.chars().any(char::is_control) {
        wrong("control characters cannot stand in a name")
    } else {
        non_empty(text)
    }
}

fn non_empty(text: &str) -> Option<String> {
    if text.is_empty() { wrong("it is empty") } else { None }
}

pub(crate) fn dns_label(text: &str) -> Option<String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() {
        wrong("it is empty")
    } else if text.len() > 63 {
        Some(format!("it has {} characters and may have 63", text.len()))
    } else if let Some(other) = text.chars().find(char::is_ascii_uppercase) {
        Some(format!("it is written in lower case, not with `{other}`"))
    } else if let Some(other) = text.chars().find(|c| !inner(*c)) {
        Some(format!("only a–z, 0–9 and `-` may stand in it, not `{other}`"))
    } else if text.starts_with('-') || text.ends_with('-') {
        wrong("it must begin and end with a letter or digit")
    } else {
        None
    }
}

/// A Service's name (RFC 1035, section 2.3.1): a DNS label that begins with a letter.
pub(crate) fn service_name(text: &str) -> Option<String> {
    dns_label(text).or_else(|| {
        text.starts_with(|first: char| first.is_ascii_digit())
            .then(|| String::from("the name of a Kubernetes Service must begin with a letter"))
    })
}

/// What labels and file names may both consist of: at most so many letters, digits, `-`, `_` and `.`, with a letter
/// or digit at both ends.
pub(crate) fn plain_word(text: &str, longest: usize) -> Option<String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() {
        wrong("it is empty")
    } else if text.len() > longest {
        Some(format!("it has {} characters and may have {longest}", text.len()))
    } else if let Some(other) = text.chars().find(|c| !inner(*c)) {
        Some(format!("only letters, digits, `-`, `_` and `.` may stand in it, not `{other}`"))
    } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !text.ends_with(|c: char| c.is_ascii_alphanumeric())
    {
        wrong("it must begin and end with a letter or digit")
    } else {
        None
    }
}

fn limit_domain(text: &str) -> Option<String> {
    // With `.yaml` it is the name of a file, and the key of a ConfigMap, which has at most 253 characters.
    plain_word(text, 248)
}

fn label_key(text: &str) -> Option<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if prefix.is_some_and(|prefix| prefix == OWN_LABELS) {
        return Some(format!("keys below `{OWN_LABELS}` are meshc's own"));
    }
    prefix.and_then(dns_name).or_else(|| plain_word(name, 63))
}

fn label_value(text: &str) -> Option<String> {
    if text.is_empty() { None } else { plain_word(text, 63) }
}

fn dns_name(text: &str) -> Option<String> {
    if let Some(why) = address_form(text) {
        return Some(why);
    }
    if text.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>().is_ok() {
        return wrong("it is an address; where one may stand it is written without quotes and brackets");
    }
    if let Some((_, port)) = text.rsplit_once(':')
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return wrong("a port is no part of a name");
    }
    if text.len() > 253 {
        return Some(format!("it has {} characters and may have 253", text.len()));
    }
    text.split('.').find_map(|label| dns_label(label).map(|why| format!("in `{label}`: {why}")))
}

/// What turns a name into a part of an address of the web.
fn address_form(text: &str) -> Option<String> {
    if let Some((scheme, _)) = text.split_once("://") {
        Some(format!("`{scheme}://` is no part of a name"))
    } else if text.contains('/') {
        wrong("a path is no part of a name")
    } else if text.len() > 1 && text.ends_with('.') {
        wrong("the final dot is left out")
    } else {
        None
    }
}

fn origin(text: &str) -> Option<String> {
    if text == "*" {
        return None;
    }
    let Some((scheme, host)) = text.split_once("://") else {
        return wrong("it begins with a scheme, such as `https://`");
    };
    if !matches!(scheme, "http" | "https") {
        return wrong("its scheme is `http` or `https`; for others there is `allow_origin_regexes`");
    }
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (host, None),
    };
    match port {
        Some(port) if port.parse::<u16>().is_err() => return wrong("a port is a number up to 65535"),
        Some("80") if scheme == "http" => return wrong("browsers leave the usual port out"),
        Some("443") if scheme == "https" => return wrong("browsers leave the usual port out"),
        Some(_) | None => {}
    }
    if host.contains('/') {
        return wrong("it has no path, and no slash at its end");
    }
    if host.strip_prefix("*.").unwrap_or(host).contains('*') {
        return wrong("`*` stands for leading labels only, as in `https://*.shop.example`");
    }
    dns_name(host.strip_prefix("*.").unwrap_or(host))
}

pub(crate) fn host_pattern(text: &str) -> Option<String> {
    if text == "*" {
        return None;
    }
    let rest = text.strip_prefix("*.").unwrap_or(text);
    if rest.contains('*') {
        return wrong("`*` stands for leading labels only, as in `*.shop.example`");
    }
    if let Some(why) = address_form(rest) {
        return Some(why);
    }
    if rest.contains(':') {
        return wrong("a port is no part of a host name; it matches every port of the gateway");
    }
    dns_name(&rest.to_ascii_lowercase())
}

fn client_name(text: &str) -> Option<String> {
    let rest = text.strip_suffix('*').unwrap_or(text);
    if rest.is_empty() {
        return wrong("every client has one; leave `clients` out for all of them");
    }
    let other = rest.chars().find(|c| !c.is_ascii_graphic() || matches!(c, ',' | ';' | '"' | '=' | '*'))?;
    Some(format!("`{}` stands in no name that a gateway accepts", other.escape_default()))
}

fn token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn header_name(text: &str) -> Option<String> {
    if text.contains('*') {
        return wrong("`*` stands for no other text in it; name each header");
    }
    if let Some(other) = text.chars().find(|c| !token(*c)) {
        return Some(format!("`{other}` cannot stand in it"));
    }
    non_empty(text)
}

/// Proxies write or remove these before any rule is looked at, and not the same ones on both data planes, so a condition on
/// one would always or never be met.
fn sent_header_name(text: &str) -> Option<String> {
    const CONNECTIONS: [&str; 7] =
        ["connection", "expect", "keep-alive", "proxy-connection", "trailer", "transfer-encoding", "upgrade"];
    let name = text.to_ascii_lowercase().replace('_', "-");
    if name == "x-forwarded-client-cert" {
        return wrong("proxies write it themselves; name callers in `from`");
    }
    if name.starts_with("x-envoy-") || CONNECTIONS.contains(&name.as_str()) {
        return wrong("proxies write or remove it themselves, so no rule sees what a client sent");
    }
    header_name(text)
}

fn header_value(text: &str) -> Option<String> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return wrong("control characters cannot stand in it");
    }
    if text.trim() != text {
        return wrong("white space around a header's value never reaches a proxy");
    }
    None
}

fn cookie_value(text: &str) -> Option<String> {
    if text.contains(';') {
        return wrong("`;` ends a cookie");
    }
    header_value(text)
}

/// What stands in a query between its signs: visible ASCII, other characters escaped as they are sent.
fn in_query(text: &str, signs: &[char]) -> Option<String> {
    let other = text.chars().find(|c| !c.is_ascii_graphic() || signs.contains(c))?;
    Some(format!("`{}` is escaped in it: write it as it is sent, such as `%20`", other.escape_default()))
}

/// A name of Protocol Buffers.
fn identifier(text: &str) -> Option<String> {
    if text.is_empty() {
        return wrong("a part of it is empty");
    }
    let other = text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_')?;
    Some(format!("only letters, digits and `_` may stand in its parts, not `{other}`"))
}

fn method(text: &str) -> Option<String> {
    if METHODS.contains(&text) {
        None
    } else if METHODS.contains(&text.to_ascii_uppercase().as_str()) {
        Some(format!("methods are written in upper case: \"{}\"", text.to_ascii_uppercase()))
    } else {
        wrong("proxies forward no such method; the reference lists those that they do")
    }
}

/// Why there is a `?` in no path.
const NO_QUERY: &str = "a query, which begins with `?`, is no part of a path";

fn path(text: &str) -> Option<String> {
    if !text.starts_with('/') {
        return wrong("it must begin with `/`");
    }
    if text.contains('?') {
        return wrong(NO_QUERY);
    }
    if let Some(other) = text.chars().find(|c| c.is_control() || c.is_whitespace() || *c == '#') {
        return Some(format!("`{}` cannot stand in it", other.escape_default()));
    }
    None
}

/// What a path of a proxy's own may not be: whoever gets it must not read another one.
fn new_path(text: &str) -> Option<String> {
    let odd = |c: char| !c.is_ascii_graphic() || "\"<>\\^`{|}?#".contains(c);
    if !text.starts_with('/') {
        return wrong("it must begin with `/`");
    }
    if text.contains("//") {
        return wrong("a slash is repeated in it");
    }
    if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        return wrong("a segment of dots stands for another path");
    }
    if text.contains('?') {
        return wrong(NO_QUERY);
    }
    if let Some(other) = text.chars().find(|c| odd(*c)) {
        return Some(format!(
            "`{}` is escaped in it: write it as it is sent, such as `%20`",
            other.escape_default()
        ));
    }
    let escapes = text.split('%').skip(1);
    let broken = |after: &str| !after.get(..2).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
    if escapes.clone().any(broken) {
        return wrong("`%` begins an escape of two hexadecimal digits");
    }
    let hidden = |after: &str| {
        after.get(..2).is_some_and(|two| two.eq_ignore_ascii_case("2f") || two.eq_ignore_ascii_case("5c"))
    };
    if escapes.clone().any(hidden) {
        return wrong("an escaped slash is refused by every proxy");
    }
    None
}

fn substitution(text: &str) -> Option<String> {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    if !plain.starts_with('/') {
        return wrong(
            "it must begin with `/`, before any group: what a group holds is known only with a request",
        );
    }
    for part in parts {
        let Some(rest) = part.strip_prefix(|c: char| c.is_ascii_digit()) else {
            return wrong("a backslash is followed by the number of a group");
        };
        // A letter for what is not known yet.
        plain.push('x');
        plain.push_str(rest);
    }
    new_path(&plain)
}

fn trust_domain(text: &str) -> Option<String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_');
    if text.is_empty() || text.len() > 255 {
        return wrong("it has between 1 and 255 characters");
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Some(format!("`{scheme}://` is no part of it"));
    }
    if let Some(other) = text.chars().find(char::is_ascii_uppercase) {
        return Some(format!("it is written in lower case, not with `{other}`"));
    }
    text.chars()
        .find(|c| !inner(*c))
        .map(|other| format!("only a–z, 0–9, `-`, `.` and `_` may stand in it, not `{other}`"))
}
