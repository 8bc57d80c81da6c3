//! A declared call that the callee's own policies refuse.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::{Access, Caller, Edge, Refusal};
use meshc_vocabulary::model::policy::AuthorizationRule;
use meshc_vocabulary::model::{Model, Port};

use crate::context::Context;
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
    let model = context.model;
    for edge in &context.resolved.edges {
        let ports = &model.services.at(edge.callee).ports;
        let who = edge.caller.peer(model);
        let refusal = edge.ports.iter().filter_map(|port| ports.get(*port)).find_map(|port| {
            match context.resolved.access(who, edge.callee, port) {
                Access::Refused(refusal) => Some((port, refusal)),
                Access::Admitted | Access::ByRequest { .. } => None,
            }
        });
        if let Some((port, refusal)) = refusal {
            sink.push(report(model, edge, port, refusal));
        }
    }
}

fn report(model: &Model, edge: &Edge<'_>, port: &Port, refusal: Refusal<'_>) -> Diagnostic {
    let (caller, callee) = (edge.caller.name(model), model.service_name(edge.callee));
    let message = format!("`{callee}` refuses the declared call from `{caller}`");
    let diagnostic = Diagnostic::error(CHECK.info.code, edge.origin.span, message).label(match edge.caller {
        Caller::Service(_) => "called here",
        Caller::Limited(_) | Caller::LimitedGateway(_) => "counted for the whole mesh",
        Caller::Route { .. } | Caller::Routed { .. } => "routed here",
    });
    match refusal {
        Refusal::NotAllowed(rules) => {
            let who = edge.caller.peer(model);
            let elsewhere = |rule: &AuthorizationRule| who.is_in(model, rule);
            let diagnostic = rules.iter().fold(diagnostic, |diagnostic, rule| {
                let at = if elsewhere(rule) { format!(" at port `{}`", port.name) } else { String::new() };
                diagnostic.also(rule.origin.span, format!("this does not admit `{caller}`{at}"))
            });
            diagnostic.help(if rules.iter().any(elsewhere) {
                format!(
                    "admit it at port `{}` as well, or call other ports only: `calls = [{callee}.…]`",
                    port.name
                )
            } else {
                format!("add `{caller}` to `from`, or remove the call")
            })
        }
        Refusal::Denied(rules) => rules
            .iter()
            .fold(diagnostic, |diagnostic, rule| {
                diagnostic.also(rule.origin.span, format!("this refuses `{caller}`, and `deny` wins"))
            })
            .help(format!("take `{caller}` out of `deny`, or remove the call")),
        // Callers of the mesh have identities.
        Refusal::NoIdentity => diagnostic,
    }
}
