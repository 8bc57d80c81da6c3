//! The codes of proofs that fail.

use lang_diagnostics::{Code, CodeInfo};

/// A critical call or route that is not served after a single loss.
pub const NOT_SERVED: Code = Code("E0830");

/// A request that can arrive more often than is declared.
pub const AMPLIFIED: Code = Code("E0831");

/// What `meshc explain` says about them.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
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
    },
    CodeInfo {
        code: AMPLIFIED,
        title: "a request can arrive more often than `max_amplification` lets it",
        explanation: r#"Each hop of a chain of calls that retries multiplies what arrives behind it: three tries at each of two hops are nine requests for
one, just when the service at the end is in trouble. `max_amplification`, of the mesh or of a service, bounds the product along each chain; the
report has every hop of the worst one, and `meshc prove amplification` those of all services. Where calls run in a circle and one of them is sent
again, nothing bounds what arrives on the circle and behind it.

```mesh
mesh shop { trust_domain = "shop.example", max_amplification = 3 }

policy a { targets = [orders], retry { attempts = 2, when = [5xx] } }      // 3 tries
policy b { targets = [prices], retry { attempts = 2, when = [5xx] } }      // of 3 tries each: orders calls prices
```

What finds no connection is sent again and does not count: no application has seen it. Retry in one place of a chain, best at its
beginning, or lower `attempts`."#,
    },
];
