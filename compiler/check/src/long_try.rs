//! A bound on one attempt that the bound on the whole request makes meaningless.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};

use crate::context::Context;
use crate::list::Check;
use crate::long_timeout::declared;
use crate::multiplied_retries::retry;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0338"),
        title: "one attempt may take as long as the whole request",
        explanation: r#"`per_try_timeout` ends an attempt so that another one can be made. The timeout of the request bounds all attempts together;
if it is no longer, the first attempt uses it up, and there is never a second one.

```mesh
policy p {
  targets = [catalog]
  timeout { request = 2s }
  retry   { attempts = 3, when = [5xx], per_try_timeout = 2s }
}
```

Give an attempt a part of the request's time, such as 500ms of 2s. Only declared timeouts are compared."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let mut reported = BTreeSet::new();
    for edge in &context.resolved.edges {
        let Some((from, retry)) = retry(context, edge) else { continue };
        let (Some(one), Some(all)) = (retry.per_try_timeout, declared(context, edge)) else { continue };
        if one < all.timeout || !reported.insert((from, all.from)) {
            continue;
        }
        let callee = context.model.service_name(edge.callee);
        let message = format!("one attempt at `{callee}` may use up the time of all of them");
        sink.push(
            Diagnostic::warning(CHECK.info.code, retry.origin.span, message)
                .label("`per_try_timeout` is at least as long …")
                .also(all.at.span, "… as the timeout of the whole request")
                .help("give an attempt a part of the request's time, or leave `per_try_timeout` out"),
        );
    }
}
