//! A port for `https://` at which proxies expect requests in the clear.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::Port;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0383"),
        title: "applications would begin TLS where the proxy does",
        explanation: r#"With a `tls` block the proxy begins TLS towards the host outside, and applications ask it in the clear: `http://`, at the port's
`number`. At 443 they would rather ask with `https://`, and the proxy would meet the beginning of TLS.

```mesh
external pay {
  hosts = ["api.pay.example"]
  port api { number = 443, protocol = http, tls { ca = "pay-ca" } }
}
```

Let applications call another port, `number = 80, target = 443`; or leave TLS to them with `protocol = tls`, without a `tls`
block."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (_, external) in context.model.externals.iter() {
        let ports = external.ports.iter().enumerate();
        let odd = |(position, port): &(usize, &Port)| {
            port.number == 443 && port.protocol.is_http() && external.tls(*position).is_some()
        };
        for (_, port) in ports.filter(odd) {
            let message = "applications ask port 443 with `https://`, and the proxy expects requests in the clear there";
            sink.push(
                Diagnostic::warning(CHECK.info.code, port.origin.span, message)
                    .label("the proxy begins TLS")
                    .help("write `number = 80, target = 443`, and let applications call `http://`; or write `protocol = tls` without a `tls` block"),
            );
        }
    }
}
