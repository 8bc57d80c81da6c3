//! Lifetimes of certificates that will hurt.

use std::time::Duration;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::Issuer;

use crate::context::Context;
use crate::list::Check;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0335"),
        title: "a certificate's lifetime is too short or too long",
        explanation: r#"With `issuer = builtin` or `files`, certificates are renewed when somebody runs `meshc trust issue`: under a week, one
missed run is an outage. cert-manager renews by itself, and refuses less than an hour. A workload certificate that lives
longer than a year makes every leaked key useful for as long, because nothing revokes it.

```mesh
trust acme {
  issuer   = builtin
  workload { lifetime = 1d }
}
```

Between 7 days and a year is sensible for `builtin` and `files`, between an hour and a year with `cert_manager`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let trust = &context.model.trust;
    let lifetime = trust.workload_lifetime;
    let (shortest, why) = match &trust.issuer {
        Issuer::Builtin | Issuer::Files(_) => {
            (7 * DAY, "somebody must run `meshc trust issue` more than once a week")
        }
        Issuer::CertManager => (HOUR, "cert-manager issues no certificate for less than an hour"),
    };
    let (word, why) = if lifetime.value < shortest {
        ("short", why)
    } else if lifetime.value > 366 * DAY {
        ("long", "a leaked key is useful for as long, and nothing revokes it")
    } else {
        return;
    };
    let message = format!("workload certificates of {} live too {word}", trust.origin.name);
    sink.push(
        Diagnostic::warning(CHECK.info.code, lifetime.span, message)
            .label(why)
            .help("90 days is a good beginning"),
    );
}
