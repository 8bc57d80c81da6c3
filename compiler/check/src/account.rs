//! Services with one account and different rules.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::policy::Source;
use meshc_vocabulary::model::{Id, Service};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0312"),
        title: "a rule tells services with one account apart",
        explanation: r#"An identity is a service account: services of one namespace with the same `account` are one and the same to everybody
they call. A rule that names one of them and not the other promises what no callee can check.

```mesh
service web   { account = "front", port http { number = 80 } }
service batch { account = "front", port http { number = 80 } }
policy only-web {
  targets = [catalog]
  allow { from = [web] }        // admits batch too
}
```

Give them accounts of their own (leave `account` out), or name all of them in the rule."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut principals: BTreeMap<_, Vec<Id<Service>>> = BTreeMap::new();
    for (id, service) in model.whole_services() {
        principals.entry((service.namespace, service.account.as_str())).or_default().push(id);
    }
    for (_, policy) in model.policies.iter() {
        let rules = policy.settings.rules();
        let lists = rules.flat_map(|rule| {
            std::iter::once(&rule.from).chain(rule.except.iter().map(|except| &except.from))
        });
        for list in lists {
            for source in list {
                let Source::Service(named) = source.value else { continue };
                let service = model.services.at(named);
                let key = (service.namespace, service.account.as_str());
                let others = principals.get(&key).into_iter().flatten();
                let missing = others.copied().find(|other| {
                    let namespace = Source::Namespace(service.namespace);
                    *other != named
                        && !list.iter().any(|it| it.value == Source::Service(*other) || it.value == namespace)
                });
                let Some(missing) = missing else { continue };
                let (one, other) = (model.service_name(named), model.service_name(missing));
                let message =
                    format!("this rule means `{other}` as well: it has the same account as `{one}`");
                sink.push(
                    Diagnostic::error(CHECK.info.code, source.span, message)
                        .label(format!("names only `{one}`"))
                        .also(service.origin.span, format!("account `{}`", service.account))
                        .also(model.services.at(missing).origin.span, "the same account")
                        .help(format!(
                            "give the two services accounts of their own, or name `{other}` here too"
                        )),
                );
            }
        }
    }
}
