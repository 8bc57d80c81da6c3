//! What meshes and requests have in common, so that rules meet requests often.

/// Paths of rules.
pub(crate) const PATHS: [&str; 10] =
    ["/", "/a", "/a/b", "/api", "/api/v1/items", "/items", "/A", "/static/x.css", "/shop.Cart/Get", "/a%20b"];

/// Paths of requests, beside those: what normalisation, segments and cases make a difference for.
pub(crate) const ODD_PATHS: [&str; 16] = [
    "/a/",
    "/a//b",
    "/a/./b",
    "/a/../items",
    "/apis",
    "/api/v1",
    "/API",
    "/items/7",
    "/a%2Fb",
    "/a%2fb",
    "/%61",
    "/a%20b/c",
    "/..",
    "/a;x=1",
    "/shop.Cart/Put",
    "/nothing/here",
];

/// Queries of requests.
pub(crate) const QUERIES: [&str; 8] =
    ["?v=1", "?v=2", "?debug", "?v=1&v=2", "?V=1", "?v=%31", "?a&v=2&c", "?"];

/// Expressions for whole paths.
pub(crate) const EXPRESSIONS: [&str; 4] = ["/items/[0-9]+", "/a.*", "(?i)/api/.*", "/[^/]+"];

/// Methods that rules name.
pub(crate) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "HEAD"];

/// Methods of requests, beside those. What is no method is refused sooner or later, and never served: that is the concern of
/// `differences` in the conformance suite.
pub(crate) const ODD_METHODS: [&str; 4] = ["OPTIONS", "PATCH", "PURGE", "TRACE"];

/// Headers that rules name, and their values. What is beyond ASCII is UTF-8 in a mesh.
pub(crate) const HEADERS: [(&str, &str); 4] =
    [("x-tier", "gold"), ("x-tier", "silver"), ("x-user", "jason"), ("x-user", "j\u{f6}rg")];

/// Header lines of requests, beside those.
pub(crate) const ODD_LINES: [&[u8]; 17] = [
    b"x-tier: golden",
    b"x-tier:",
    b"x-tier: gold\r\nx-tier: silver",
    b"x-tier: silver\r\nx-tier: gold",
    b"X-Tier: gold",
    b"x-tier: gold, silver",
    b"x-user: j\xf6rg",
    b"x-user: jason\xff",
    b"x_tier: gold",
    b"cookie: user=jason; session=1",
    b"cookie: session=2\r\ncookie: user=anna",
    b"x-forwarded-for: 10.9.8.7",
    b"x-request-id: mine",
    b"accept: */*",
    b"origin: https://a.example",
    b"origin: https://x.b.example",
    b"origin: https://shop.local\r\naccess-control-request-method: PUT",
];
