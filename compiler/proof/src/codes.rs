//! The codes of proofs that fail.

use lang_diagnostics::{Code, CodeInfo};

/// A critical call or route that is not served after a single loss.
pub const NOT_SERVED: Code = Code("E0830");

/// What `meshc explain` says about them.
pub const CODES: &[CodeInfo] = &[CodeInfo {
    code: NOT_SERVED,
    title: "something critical is not served after a single loss",
    explanation: r#"A call or a route that is `critical = true` has to be served after each single loss: of a cluster, a gateway, a zone, a network, a
way between networks, the pods of a service in one cluster, or a rate-limit service. The report has the losses after which it is not,
the way on which one of them breaks it, and a change that mends that; `meshc prove failover --critical` has all of them. A loss that leaves
no cluster is not counted.

```mesh
service web {
  clusters = [west, east]
  call { to = ledger, critical = true }      // without `east`, no ledger is left
}
service ledger { clusters = [east], port http { number = 80 } }
```

Run the callee in a second cluster, give the cluster a second gateway, let destinations stand in for each other, or do without `critical`."#,
}];
