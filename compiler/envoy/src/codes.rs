//! Codes of what Envoy cannot do.

use lang_diagnostics::{Code, CodeInfo};

/// A limit counted per pod is beyond Envoy's numbers.
pub const LIMIT_TOO_LARGE: Code = Code("E0480");
/// A regular expression uses syntax that RE2 does not have.
pub const EXPRESSION_NOT_UNDERSTOOD: Code = Code("E0481");

/// Every code that this crate raises.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
    code: LIMIT_TOO_LARGE,
    title: "a limit per pod is larger than envoy can count",
    explanation: "\
With `scope = pod` each Envoy counts by itself, in token buckets that hold at most 4294967295 tokens.

```mesh
rate_limit {
  scope     = pod
  otherwise = 5000000000/h   // too large
}
```

A limit this high refuses nothing in practice. Lower it, give it in a smaller unit (`1500000/s`), or leave it out.
",
    },
    CodeInfo {
        code: EXPRESSION_NOT_UNDERSTOOD,
        title: "a regular expression that envoy does not understand",
        explanation: r#"Regular expressions have the syntax that both data planes share. meshd's library knows a little more than RE2, with
which Envoy compiles them: intersections and nested classes (`[a-z&&[^x]]`), the flags `x` and `u`, `\u00e9`, long names of
Unicode classes (`\p{Letter}`), more than 1000 repetitions. Envoy would refuse its whole configuration for one of them.

```mesh
match { regex = "/[a-z&&[^x]]+" }     // write "/[a-wyz]+"
```

Write the expression in the common syntax, as the message suggests.
"#,
    },
];
