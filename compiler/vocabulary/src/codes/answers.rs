//! What `meshc explain` says about rules that answer by themselves, and about new paths.

use lang_diagnostics::CodeInfo;

pub(super) const CONNECT_NOT_CARRIED: CodeInfo = CodeInfo {
    code: super::CONNECT_NOT_CARRIED,
    title: "CONNECT among the upgrades of a route",
    explanation: r#"A CONNECT names a host and a port that the client chooses, and no path: what a route would match, rewrite, limit or admit by
is not there, and whoever may call one service could reach through it whatever its proxy reaches. So no route carries it, and both
data planes refuse it at gateways and inside the mesh. WebSockets need none: over HTTP/2, where they are asked for with a CONNECT
of their own (RFC 8441), they are `websocket`. Connections of bytes go to ports with `protocol = tcp`; hosts outside the
mesh are declared as `external`.

```mesh
rule { to = chat, upgrade = [websocket, connect] }      // remove `connect`
```"#,
};

pub(super) const ANSWERED_HERE: CodeInfo = CodeInfo {
    code: super::ANSWERED_HERE,
    title: "a setting for requests that are sent on, in a rule that answers them",
    explanation: r#"A rule with `redirect` or `respond` sends no request on: it has no use for a timeout, for retries, for copies, or for
changes of the request. What the route around it says of these applies to its other rules.

```mesh
rule { redirect = https, timeout = 3s }     // remove `timeout`
```"#,
};

pub(super) const UNCLEAR_PATH: CodeInfo = CodeInfo {
    code: super::UNCLEAR_PATH,
    title: "a new path that has no single meaning",
    explanation: r#"`prefix` in a `rewrite` or `redirect` replaces the prefix that the rule's `match` names, so each `match` needs one.
`regex` says which paths change and `substitution` what they become; a reference such as `\1` means a group of the
expression, in parentheses.

```mesh
rule { match { path = "/old" }, to = web, rewrite { prefix = "/new" } }                    // path = "/new"
rule { to = web, rewrite { regex = "/users/[0-9]+", substitution = "/people/\\1" } }       // regex = "/users/([0-9]+)"
```"#,
};

pub(super) const IMPOSSIBLE_ANSWER: CodeInfo = CodeInfo {
    code: super::IMPOSSIBLE_ANSWER,
    title: "an answer that cannot be sent",
    explanation: r#"A redirect has one of the statuses 301, 302, 303, 307 and 308, and tells the client an address, which `respond` has no
place for. An answer with the status 204 or 205 has no body, and one without a body has no `content_type`. And `*` in a
`cors` does not hold for requests with cookies: browsers refuse it for origins and take it for a name elsewhere.

```mesh
rule { respond { status = 301 } }                      // redirect { … }
rule { respond { status = 204, body = "done" } }       // status = 200
rule { to = web, cors { allow_origins = ["*"], allow_credentials = true } }
```"#,
};
