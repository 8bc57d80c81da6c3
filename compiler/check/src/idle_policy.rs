//! A policy that changes nothing.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::policy::PolicyScope;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0326"),
        title: "a policy that applies to nothing",
        explanation: r#"A policy without targets attaches to the services of its namespace, or of the mesh. If there are none, it
applies to nothing, and a rule that is written and enforces nothing is worse than none, because it looks like protection.

```mesh
namespace shop {
  policy careful { retry { attempts = 2, when = [5xx] } }      // attaches to the services of `shop`, and there are none
}
```

Name the `targets`, move the policy to where its services are, or remove it."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let services = model.services.iter().filter(|(_, service)| !service.is_client());
    let mut occupied: BTreeSet<_> = services.map(|(_, service)| service.namespace).collect();
    occupied.extend(model.externals.iter().map(|(_, external)| external.namespace));
    for (_, policy) in model.policies.iter() {
        let (why, help) = match &policy.scope {
            PolicyScope::Namespace(id) if !occupied.contains(id) => (
                format!("no service is in namespace `{}`", model.namespaces.at(*id).name),
                "name its `targets`, or move it to where its services are",
            ),
            PolicyScope::Mesh if occupied.is_empty() => {
                (String::from("the mesh has no services"), "declare a service, or remove it")
            }
            PolicyScope::Mesh | PolicyScope::Namespace(_) | PolicyScope::Targets { .. } => continue,
        };
        let message = format!("{} applies to nothing", policy.origin.name);
        sink.push(Diagnostic::warning(CHECK.info.code, policy.origin.span, message).label(why).help(help));
    }
}
