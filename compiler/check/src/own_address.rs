//! A host outside the mesh at an address of the pod itself.

use std::net::IpAddr;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::Host;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0373"),
        title: "a host outside at an address of the pod itself",
        explanation: r#"A proxy connects to the `addresses` of an `external` from its own pod. At `localhost`, 127.0.0.1, ::1 or 0.0.0.0 it meets
itself and the application beside it, past all rules about calls; an egress gateway would lend these ports of its own to
others. Behind a multicast address there is no server.

```mesh
external metrics { hosts = ["metrics.example"], addresses = [127.0.0.1], port http { number = 9100 } }
```

Write the address at which the host is reached over the network."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (_, external) in context.model.externals.iter() {
        for address in external.places() {
            let Some(what) = what(address) else { continue };
            let message = format!("`{address}` is {what}");
            sink.push(
                Diagnostic::error(CHECK.info.code, external.origin.span, message)
                    .label("proxies would connect there")
                    .help("write the address at which the host is reached over the network"),
            );
        }
    }
}

fn what(address: &Host) -> Option<&'static str> {
    const POD: &str = "the pod itself";
    match address {
        Host::Ip(ip) => match ip.to_canonical() {
            ip if ip.is_loopback() || ip.is_unspecified() => Some(POD),
            IpAddr::V4(ip) if ip.is_multicast() || ip.is_broadcast() => Some("no address of a server"),
            IpAddr::V6(ip) if ip.is_multicast() => Some("no address of a server"),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        },
        Host::Name(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            (name == "localhost" || name.ends_with(".localhost")).then_some(POD)
        }
    }
}
