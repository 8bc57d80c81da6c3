//! A host outside that applications are to call and that no name leads to.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::Caller;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0380"),
        title: "a host outside without a name that applications find",
        explanation: r#"An application reaches a host outside through its sidecar because the hosts file of its pod maps the host's names to a
virtual address. A hosts file has no wildcards, so a pattern alone maps nothing: what the application calls is found in
DNS, and the connection passes the sidecar by.

```mesh
external cdn {
  hosts     = ["*.cdn.example"]            // add "img.cdn.example", if that is what is called
  addresses = ["edge.cdn.example"]
  port https { number = 443, protocol = tls }
}
```

List the names that are called beside the pattern. Where the application's own DNS answers with a virtual address, declare
that as `vip`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for edge in &context.resolved.outside {
        let external = context.model.externals.at(edge.callee);
        let called = match edge.caller {
            Caller::Service(_) => true,
            // A rule's requests need no name.
            Caller::Route { .. } | Caller::Routed { .. } | Caller::Limited(_) | Caller::LimitedGateway(_) => {
                false
            }
        };
        if !called || external.vip.is_some() || external.names().next().is_some() {
            continue;
        }
        let Some(pattern) = external.hosts.first() else { continue };
        let message = format!("no name leads applications to {}", external.origin.name);
        sink.push(
            Diagnostic::warning(CHECK.info.code, edge.origin.span, message)
                .label("called here, past the sidecar")
                .also(pattern.span, "a hosts file has no patterns")
                .help("list the names that are called beside the pattern, or declare a `vip` and map names to it"),
        );
    }
}
