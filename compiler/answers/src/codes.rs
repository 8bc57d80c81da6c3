//! The codes of conditions and of tests that do not pass.

use lang_diagnostics::{Code, CodeInfo};

/// A name in a condition that leads nowhere.
pub const UNKNOWN: Code = Code("E0801");
/// Something that is neither true nor false.
pub const NOT_A_CONDITION: Code = Code("E0802");
/// Two values that cannot be compared.
pub const NOT_COMPARABLE: Code = Code("E0803");
/// A call of a test that is not as expected.
pub const UNMET_CALL: Code = Code("E0810");
/// An assertion that does not hold.
pub const UNMET_ASSERTION: Code = Code("E0811");

/// A text that is no question.
pub const NOT_A_QUESTION: Code = Code("E0820");
/// A name in a question that leads nowhere.
pub const UNKNOWN_NAME: Code = Code("E0821");
/// A name in a question at a place where it has no meaning.
pub const NOT_THERE: Code = Code("E0822");

/// What `meshc explain` says about them.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: UNKNOWN,
        title: "a name in an assertion that leads nowhere",
        explanation: r#"A path in a condition begins with the name of something declared, and goes on with what is in it: an attribute, the label or the
kind of a block, or an entry of a record. Behind a service, a route or a gateway, `policy` is what applies there, whoever
says it, and behind a service `callers` is who calls it.

```mesh
test "limits" {
  assert shop.web.policy.ratelimit != none      // rate_limit
}
```"#,
    },
    CodeInfo {
        code: NOT_A_CONDITION,
        title: "an assertion of something that is neither true nor false",
        explanation: r#"An assertion takes a condition: a comparison, `x in list`, conditions that are joined by `and`, `or` and `not`, or an
attribute that is `true` or `false`. That something is there at all is `x != none`.

```mesh
test "limits" {
  assert shop.web.policy.rate_limit      // shop.web.policy.rate_limit != none
}
```"#,
    },
    CodeInfo {
        code: NOT_COMPARABLE,
        title: "values in an assertion that cannot be compared",
        explanation: r#"Values are compared with their like: a duration with a duration, a list with a list. Only quantities are less or greater than
others, and only a list has something `in` it. `none` is compared with anything.

```mesh
test "timeouts" {
  assert shop.web.policy.timeout.request <= 30      // 30s
}
```"#,
    },
    CodeInfo {
        code: UNMET_CALL,
        title: "a call is not what a test expects",
        explanation: r#"`meshc test` asks the plan that is built from the mesh what becomes of a call, and this is not what the test says. The report has
what decides: the rule that refuses or takes it, the limit that counts it, or who answers in the place of those who were
expected.

```mesh
test "only the shop reads the ledger" {
  deny = [shop.web -> pay.ledger]      // with `calls = [pay.ledger]` and no `allow` at the ledger
}
```

With `--live`, the report has what was seen of the requests that were sent to the running mesh.

Either the mesh does something that nobody wants, or the test asks for what is no longer meant."#,
    },
    CodeInfo {
        code: UNMET_ASSERTION,
        title: "an assertion does not hold",
        explanation: r#"The report has the value of each part of the condition that was looked at, and where it is written. Parts that no longer matter
are not looked at: behind a false one in `and`, and behind a true one in `or`.

```mesh
test "every service is limited" {
  for s in services {
    assert s.policy.rate_limit != none else "${s} has no limit"
  }
}
```"#,
    },
    CodeInfo {
        code: NOT_A_QUESTION,
        title: "a question that cannot be read",
        explanation: r#"`meshc ask` takes one of these, with what is in brackets left out or written:

    can A call B [METHOD] [PATH] [with HEADER=VALUE ...]
    who can call B [METHOD] [PATH] [with HEADER=VALUE ...]
    what can A reach
    where does [METHOD] HOST/PATH go [from GATEWAY] [with HEADER=VALUE ...]

`why` before it adds what decides, and `trace` before `can` and `where` everything that was tried. `without`, with a list
behind it, ends each of them: what has failed meanwhile. A value with a space in it is written in double quotes.

    meshc ask 'can shop.web call shop.ledger POST /books without east' mesh.mesh"#,
    },
    CodeInfo {
        code: UNKNOWN_NAME,
        title: "a name in a question that leads nowhere",
        explanation: r#"Names in questions are those of calls in a `test`: services and clients with their namespace (`shop.web`), subsets, hosts outside,
one port of a callee (`shop.web.http`), gateways (`west.ingress`) and their ports (`west.ingress.http`).

    meshc ask 'can shop.web call shop.ledgr' mesh.mesh      // shop.ledger"#,
    },
    CodeInfo {
        code: NOT_THERE,
        title: "a name in a question at the wrong place",
        explanation: r#"A call comes from a service, a client or a gateway, and goes to a service, a subset or a host outside. Behind a service, `in`
is followed by a cluster that it runs in.

    meshc ask 'can shop.web in east call shop.ledger' mesh.mesh      // where shop.web runs in west only"#,
    },
];
