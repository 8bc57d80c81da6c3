//! Rules about identities on a port where callers can do without one.

use lang_diagnostics::{Applicability, Code, CodeInfo, Diagnostic, Edit, Fix, Sink};
use meshc_resolve::disjoint;
use meshc_vocabulary::capability::Feature;
use meshc_vocabulary::model::policy::{AuthorizationRule, Source};
use meshc_vocabulary::model::{HttpMatch, Mtls, Port};

use crate::context::{Context, Holds};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0311"),
        title: "a rule about identities that callers can evade",
        explanation: r#"A port with `mtls = permissive` also accepts plain connections, which carry no identity. A `deny` for a service is evaded
there by connecting without one, unless callers without an identity are refused as well. A port with `mtls = off` accepts
nothing else, so that no rule can be enforced.

```mesh
service catalog {
  port http { number = 80, mtls = permissive }
}
policy no-batch {
  targets = [catalog]
  deny { from = [batch] }     // deny { from = [batch, unauthenticated] }
}
```

Name `unauthenticated` beside the others, or admit callers without an identity only elsewhere: with any `allow`, a
permissive port admits them only where a rule says so, and then a `deny` for other requests is effective.

```mesh
policy adoption {
  targets = [catalog]
  allow { from = [web] }
  allow { from = [unauthenticated], match { prefix = "/public" } }
}
```"#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (id, service) in context.model.services.iter() {
        let holds = context.holds(id);
        for port in &service.ports {
            match port.mtls {
                Mtls::Strict => {}
                Mtls::Permissive => {
                    for rule in holds.deny.iter().filter(|rule| evaded(holds, rule)) {
                        sink.push(evasion(&context.model.service_name(id), port, rule));
                    }
                }
                // As long as there are no such ports, each is an error of its own.
                Mtls::Off if !Feature::PlainPorts.supported() => {}
                Mtls::Off => {
                    for rule in holds.allow.iter().chain(holds.deny) {
                        let name = context.model.service_name(id);
                        let message = format!(
                            "a rule about callers of `{name}` cannot be enforced at its port `{}`",
                            port.name
                        );
                        sink.push(
                            Diagnostic::error(CHECK.info.code, rule.origin.span, message)
                                .label("this needs identities")
                                .also(port.origin.span, "with `mtls = off` callers have none")
                                .help("use `mtls = strict` or `mtls = permissive`, or remove the rule"),
                        );
                    }
                }
            }
        }
    }
}

/// Whether somebody whom a `deny` names may send the same request without an identity.
fn evaded(holds: &Holds<'_>, rule: &AuthorizationRule) -> bool {
    let everything = HttpMatch::default();
    let admitted: Vec<&HttpMatch> = if holds.allow.is_empty() {
        vec![&everything]
    } else {
        holds.allow.iter().filter(|rule| is_open(rule)).map(|rule| &rule.matches).collect()
    };
    !is_open(rule) && admitted.iter().any(|matches| !disjoint(matches, &rule.matches))
}

/// Whether a rule names callers without an identity.
fn is_open(rule: &AuthorizationRule) -> bool {
    rule.from.iter().any(|source| source.value == Source::Unauthenticated)
}

fn evasion(name: &str, port: &Port, rule: &AuthorizationRule) -> Diagnostic {
    let message = format!("callers of `{name}` can evade this rule by connecting without an identity");
    let diagnostic = Diagnostic::error(CHECK.info.code, rule.origin.span, message)
        .label("this needs identities")
        .also(port.origin.span, "with `mtls = permissive` callers need none");
    let Some(last) = rule.from.last() else { return diagnostic };
    diagnostic.fix(Fix {
        title: String::from("add `unauthenticated` to `from`"),
        applicability: Applicability::Suggested,
        edits: vec![Edit { span: last.span.after(), text: String::from(", unauthenticated") }],
    })
}
