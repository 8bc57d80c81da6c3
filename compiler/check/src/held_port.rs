//! A callee's port that the caller's pod already holds on all addresses.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::{Captured, Edge, HeldPort, Holder, held_ports};
use meshc_vocabulary::model::{Callee, Capture};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0308"),
        title: "the callee's port is taken in the caller's own pod",
        explanation: r#"With `capture = loopback` the caller's sidecar listens at a virtual address of the callee, on the callee's port. The
kernel refuses that while the caller's own application listens on the same port of all addresses. `capture = auto`, the
default, then redirects the calls of that service instead, which takes an init container with `NET_ADMIN`.

```mesh
mesh shop { capture = loopback }
service web {
  port http { number = 80, target = 8080 }       // the application holds 8080 everywhere …
  calls = [catalog]
}
service catalog {
  port http { number = 8080 }                    // … so web's sidecar cannot listen for catalog:8080
}
```

Ways out: leave `capture` out, at the service or in the mesh, or use `capture = redirect`; or, where pods may have no such
init container, let the caller's application listen on 127.0.0.1 only and add `bind = loopback` to its port, or give the
callee's port another `number` (its `target` may stay). A port that a `probe` or `metrics` block names is the application's as
well, on all addresses unless a `port` with that `target` says `bind = loopback`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for edge in &context.resolved.edges {
        edge_of_call(context, edge, sink);
    }
    for edge in &context.resolved.outside {
        edge_of_call(context, edge, sink);
    }
}

/// Reports the ports of a call that cannot be captured as it is declared.
fn edge_of_call<'m, To: Copy + Into<Callee>>(context: &Context<'m>, edge: &Edge<'m, To>, sink: &mut Sink) {
    let model = context.model;
    let Some(caller) = edge.caller.service() else { return };
    match context.resolved.captured(caller) {
        Captured::Declared(Capture::Loopback) => {}
        Captured::Declared(Capture::Redirect)
        | Captured::Unhindered
        | Captured::Hindered(_)
        | Captured::NoLoopback => return,
    }
    for HeldPort { call, callee, port, holder } in held_ports(model, edge) {
        let (caller, name, number) = (model.service_name(caller), model.callee_name(callee), port.number);
        let cannot = format!("`{caller}` cannot call `{name}` on port {number}");
        sink.push(match holder {
            Holder::Application(own, what) => {
                let message = format!("{cannot}: its own application listens on it");
                Diagnostic::error(CHECK.info.code, call.span, message)
                    .label(format!("the sidecar must listen on {number} for this call"))
                    .also(own.span, format!("the application {what} {number} on all addresses"))
                    .also(port.origin.span, "the port that is called")
                    .help(
                        "use `capture = auto` or `redirect` on the caller, let the application listen on 127.0.0.1 and add \
                         `bind = loopback` to its port, or give the callee's port another `number`",
                    )
            }
            Holder::Sidecar => {
                let message = format!("{cannot}: its sidecar listens on it");
                Diagnostic::error(CHECK.info.code, call.span, message)
                    .label("called here")
                    .also(port.origin.span, "the port that is called")
                    .help("use `capture = auto` or `redirect` on the caller, or give the callee's port another `number`")
            }
        });
    }
}
