//! What `meshc explain` says about limits of requests.

use lang_diagnostics::CodeInfo;

use super::{BURST_OF_WINDOWS, LIMIT_WITHOUT_KEY};

pub(super) const WITHOUT_KEY: CodeInfo = CodeInfo {
    code: LIMIT_WITHOUT_KEY,
    title: "counters for each of nothing",
    explanation: r#"`each` keeps a counter for each combination of the values that it names: callers, addresses, paths, headers, cookies,
parameters. Without any it is one counter for all requests, which is `total`; and what is named twice tells nothing apart.

```mesh
rate_limit { scope = pod, each { rate = 10/min } }     // each { by = [caller], rate = 10/min }
```"#,
};

pub(super) const BURST: CodeInfo = CodeInfo {
    code: BURST_OF_WINDOWS,
    title: "a burst of what is counted in windows",
    explanation: r#"A pod counts with token buckets: they fill steadily, and `burst` is what they hold. The rate-limit service counts in
windows that begin at whole minutes, hours and so on: each admits all of its rate at once, and saves nothing up.

```mesh
rate_limit { scope = cluster, otherwise = 10/s, burst = 100 }     // otherwise = 600/min
```

Use `scope = pod`, or a rate of a longer unit."#,
};
