//! Rules about identities on a port where callers can do without one.

use lang_diagnostics::{Applicability, Code, CodeInfo, Diagnostic, Edit, Fix, Sink};
use meshc_resolve::{Access, Peer, covers_all, disjoint};
use meshc_vocabulary::capability::Feature;
use meshc_vocabulary::model::policy::AuthorizationRule;
use meshc_vocabulary::model::{Mtls, Port};

use crate::context::Context;
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
    for (id, service) in context.model.whole_services() {
        let holds = context.resolved.service(id);
        for port in &service.ports {
            match port.mtls {
                Mtls::Strict => {}
                Mtls::Permissive => {
                    let who = Peer::Unauthenticated;
                    let access = context.resolved.access(who, id, port);
                    for rule in holds.deny.value.iter().filter(|rule| evaded(&access, rule, port)) {
                        sink.push(evasion(&context.model.service_name(id), port, rule));
                    }
                }
                // As long as there are no such ports, each is an error of its own.
                Mtls::Off if !Feature::PlainPorts.supported() => {}
                Mtls::Off => {
                    for rule in holds.allow.value.iter().chain(holds.deny.value) {
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
fn evaded(without_identity: &Access<'_>, rule: &AuthorizationRule, port: &Port) -> bool {
    if !rule.is_about(port) {
        return false;
    }
    match without_identity {
        Access::Admitted => true,
        Access::Refused(_) => false,
        Access::ByRequest { admitted, denied } => {
            let matches = &rule.requests.matches;
            let also_denied = |other: &&AuthorizationRule| {
                std::ptr::eq(*other, rule)
                    || (other.is_exact_at(port) && covers_all(&other.requests.matches, matches))
            };
            !denied.iter().any(also_denied)
                && admitted.iter().any(|admitted| !matches.iter().all(|it| disjoint(admitted, it)))
        }
    }
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
