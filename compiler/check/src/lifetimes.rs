//! Lifetimes of certificates that do not nest.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0309"),
        title: "lifetimes of certificates do not nest",
        explanation: r#"A chain is valid only as long as every certificate in it. A workload certificate that outlives its intermediate stops
working with it, long before its own date; the same holds for an intermediate and the root.

```mesh
trust acme {
  root         { lifetime = 1y }
  intermediate { lifetime = 2y }       // dead after one year
  workload     { lifetime = 90d }
}
```

Let each live longer than what it signs: root, then intermediate, then workload."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let trust = &context.model.trust;
    let pairs = [
        ("the root", trust.root_lifetime, "intermediate certificates", trust.intermediate_lifetime),
        (
            "an intermediate certificate",
            trust.intermediate_lifetime,
            "workload certificates",
            trust.workload_lifetime,
        ),
    ];
    for (signer, above, signed, below) in pairs {
        if above.value > below.value {
            continue;
        }
        let message =
            format!("{signer} of {} does not outlive the {signed} that it signs", trust.origin.name);
        sink.push(
            Diagnostic::error(CHECK.info.code, below.span, message)
                .label("lives at least as long …")
                .also(above.span, "… as what signs it")
                .help("let each live longer than what it signs: root, then intermediate, then workload"),
        );
    }
}
