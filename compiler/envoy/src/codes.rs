//! Codes of what Envoy cannot do.

use lang_diagnostics::{Code, CodeInfo};

/// A limit counted per pod is beyond Envoy's numbers.
pub const LIMIT_TOO_LARGE: Code = Code("E0480");
/// A regular expression uses syntax that RE2 does not have.
pub const EXPRESSION_NOT_UNDERSTOOD: Code = Code("E0481");
/// The committed descriptors lack something that is written: a mistake of meshc.
pub const NOT_DESCRIBED: Code = Code("E0901");

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

Limits are counted by the path with its query behind it. What asks for its surroundings inside an expression (`\b`, a `$`
that is not at the end) would see the query there.

```mesh
match { regex = "/[a-z&&[^x]]+" }     // write "/[a-wyz]+"
```

Write the expression in the common syntax, as the message suggests.
"#,
    },
    CodeInfo {
        code: NOT_DESCRIBED,
        title: "an internal error: the description of Envoy's configuration is incomplete",
        explanation: r#"meshc writes Envoy's configuration with the names that Envoy's own protobuf descriptors give. A reduced copy of them is
part of meshc. If something that is to be written is not in that copy, the file would lack a setting, so nothing is
written at all.

```console
$ meshc build mesh.mesh -o out
error[E0901]: internal error: the descriptors of Envoy's configuration lack the type `envoy.…`
```

No mesh is at fault. Please report it with the mesh; leaving out what the label points at avoids it until it is mended."#,
    },
];
