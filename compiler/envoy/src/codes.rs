//! Codes of what Envoy cannot do.

use lang_diagnostics::{Code, CodeInfo};

/// A limit counted per pod is beyond Envoy's numbers.
pub const LIMIT_TOO_LARGE: Code = Code("E0480");

/// Every code that this crate raises.
pub const CODES: &[CodeInfo] = &[CodeInfo {
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
}];
