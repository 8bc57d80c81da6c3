//! What `meshc explain` says about tests.

use lang_diagnostics::CodeInfo;

pub(super) const NOT_AN_END: CodeInfo = CodeInfo {
    code: super::NOT_AN_END,
    title: "an end of a call in a test that cannot be one",
    explanation: r#"A call comes from a service, a client or a gateway, and goes to a service, a subset of one, or a host outside. A way between
networks that fails is between two networks.

```mesh
test "the ingress is open" {
  allow = [shop.web -> west.ingress]      // [west.ingress -> shop.web]
}
```"#,
};

pub(super) const EMPTY_CALL: CodeInfo = CodeInfo {
    code: super::EMPTY_CALL,
    title: "a call in a test that expects nothing",
    explanation: r#"A `call` says which request is sent, and what is expected of it: whether it is admitted, who answers, which limit counts it,
how long it may take, or the status with which a proxy answers it.

```mesh
test "items" {
  call { from = shop.web, to = shop.catalog, path = "/items" }      // add `allow = true`
}
```"#,
};

pub(super) const ELSEWHERE: CodeInfo = CodeInfo {
    code: super::ELSEWHERE,
    title: "a service in a cluster where it does not run",
    explanation: r#"`S in C` means the pods of a service in a cluster, so the service has to run there.

```mesh
test "the west" {
  fail = [shop.catalog in west]      // with `service catalog { clusters = [east] }`: in east
  reaches = [shop.web -> shop.catalog]
}
```"#,
};
