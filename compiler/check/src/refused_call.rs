//! A declared call that the callee's own policies refuse.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::covers;
use meshc_vocabulary::model::policy::AuthorizationRule;
use meshc_vocabulary::model::{HttpMatch, Mtls};

use crate::calls::{Caller, Edge};
use crate::context::{Context, Holds};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0301"),
        title: "a declared call that the callee refuses",
        explanation: r#"A callee admits its declared callers. With `allow` it admits only those that a rule names, and `deny` wins over
both. A call that none of its requests can survive is a mistake in one of the two places, so both are shown.

```mesh
service webapp {
  calls = [catalog]                // refused …
}
policy only-orders {
  targets = [catalog]
  allow { from = [orders] }        // … here
}
```

Add the caller to `allow`, take it out of `deny`, or remove the call. A caller of which some requests are refused
(`deny` with a path, say) is no mistake."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for edge in &context.edges {
        // A caller of the mesh shows its identity at a permissive port too.
        let identified = edge.ports.iter().any(|port| {
            let ports = &context.model.services.at(edge.callee).ports;
            ports.get(*port).is_some_and(|port| match port.mtls {
                Mtls::Strict | Mtls::Permissive => true,
                Mtls::Off => false,
            })
        });
        if identified && let Some(diagnostic) = refused(context, edge, context.holds(edge.callee)) {
            sink.push(diagnostic);
        }
    }
}

fn refused(context: &Context<'_>, edge: &Edge<'_>, holds: &Holds<'_>) -> Option<Diagnostic> {
    let model = context.model;
    let (caller, callee) = (edge.caller.name(model), model.service_name(edge.callee));
    let speaks = |rule: &&AuthorizationRule| edge.caller.is_in(model, rule);
    let message = format!("`{callee}` refuses the declared call from `{caller}`");
    let diagnostic = Diagnostic::error(CHECK.info.code, edge.origin.span, message).label(match edge.caller {
        Caller::Service(_) => "called here",
        Caller::Route { .. } => "routed here",
    });
    // What is admitted as far as `allow` goes: all requests, or those of each rule.
    let all = HttpMatch::default();
    let admitted: Vec<_> = if holds.allow.is_empty() {
        vec![&all]
    } else {
        holds.allow.iter().filter(speaks).map(|rule| &rule.matches).collect()
    };
    if admitted.is_empty() {
        let rules = holds.allow.iter();
        let diagnostic = rules.fold(diagnostic, |diagnostic, rule| {
            diagnostic.also(rule.origin.span, format!("this does not admit `{caller}`"))
        });
        return Some(diagnostic.help(format!("add `{caller}` to `from`, or remove the call")));
    }
    let denying = |matches: &&HttpMatch| {
        holds.deny.iter().filter(speaks).find(|rule| covers(&rule.matches, matches)).map(|rule| &rule.origin)
    };
    let denying: Option<BTreeSet<_>> = admitted.iter().map(denying).collect();
    let diagnostic = denying?.into_iter().fold(diagnostic, |diagnostic, origin| {
        diagnostic.also(origin.span, format!("this refuses `{caller}`, and `deny` wins"))
    });
    Some(diagnostic.help(format!("take `{caller}` out of `deny`, or remove the call")))
}
