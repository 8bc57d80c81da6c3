//! `allow` or `deny` on a port where callers need no identity.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::Mtls;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0311"),
        title: "a rule about callers on a port that takes anybody",
        explanation: r#"`allow` and `deny` speak of identities. A port with `mtls = permissive` also takes plain connections, which have none, and
one with `mtls = off` takes nothing else: the rule would look like protection and be none.

```mesh
service catalog {
  port http { number = 80, mtls = permissive }
}
policy only-web {
  targets = [catalog]
  allow { from = [web] }
}
```

Make the port strict once all its callers are in the mesh (that is the order of an adoption: all callees permissive, then
the callers, then strict), or remove the rule until then."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (id, service) in context.model.services.iter() {
        let holds = context.holds(id);
        for port in &service.ports {
            let word = match port.mtls {
                Mtls::Strict => continue,
                Mtls::Permissive => "permissive",
                Mtls::Off => "off",
            };
            for rule in holds.allow.iter().chain(holds.deny) {
                let name = context.model.service_name(id);
                let message =
                    format!("a rule about callers of `{name}` cannot hold for its port `{}`", port.name);
                sink.push(
                    Diagnostic::error(CHECK.info.code, rule.origin.span, message)
                        .label("this speaks of identities")
                        .also(port.origin.span, format!("with `mtls = {word}` callers need none"))
                        .help("make the port `strict`, or remove the rule until its callers are in the mesh"),
                );
            }
        }
    }
}
