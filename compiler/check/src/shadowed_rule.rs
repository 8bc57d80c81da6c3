//! A rule of a route that an earlier rule takes all requests from.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::covers_all;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0324"),
        title: "a route rule behind one that takes everything it could",
        explanation: r#"The rules of a route are tried in order, and the first that matches wins. A rule whose requests all match an earlier one
is never reached.

```mesh
route shop {
  gateway = west.ingress
  hosts   = ["shop.example"]
  rule { match { prefix = "/" },      to = web }
  rule { match { prefix = "/admin" }, to = admin }      // never reached
}
```

Put the more special rule first, or remove it."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (_, route) in context.model.routes.iter() {
        for (place, rule) in route.rules.iter().enumerate() {
            let earlier = route.rules.iter().take(place);
            if let Some(first) = earlier.into_iter().find(|first| covers_all(&first.matches, &rule.matches)) {
                let message = format!("a rule of {} is never reached", route.origin.name);
                sink.push(
                    Diagnostic::warning(CHECK.info.code, rule.origin.span, message)
                        .label("every request for this …")
                        .also(first.origin.span, "… is taken by this earlier rule")
                        .help("put the more special rule first, or remove it"),
                );
            }
        }
    }
}
