//! A timeout that is longer than the one of whoever waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_vocabulary::model::policy::Timeout;
use meshc_vocabulary::model::{Id, Service};

use crate::calls::{Caller, Edge};
use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0331"),
        title: "a timeout longer than its caller's",
        explanation: r#"A service that must answer within two seconds cannot use what a callee says after five: its own caller has gone by then,
and the work is done for nobody.

```mesh
policy a { targets = [orders], timeout { request = 2s } }
policy b { targets = [prices], timeout { request = 5s } }      // orders calls prices
```

Give the inner call the shorter timeout. Only declared timeouts are compared, not the default."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let mut shortest: BTreeMap<Id<Service>, (Duration, &Origin)> = BTreeMap::new();
    for edge in &context.edges {
        if let Some((limit, place)) = limit(context, edge) {
            let known = shortest.entry(edge.callee).or_insert((limit, place));
            if limit < known.0 {
                *known = (limit, place);
            }
        }
    }
    let mut reported = BTreeSet::new();
    for edge in &context.edges {
        let Caller::Service(caller) = edge.caller else { continue };
        let inner = declared(context.holds(edge.callee).timeout);
        let (Some((inner, inner_place)), Some((outer, outer_place))) = (inner, shortest.get(&caller)) else {
            continue;
        };
        if inner <= *outer || !reported.insert((inner_place, *outer_place)) {
            continue;
        }
        let (caller, callee) = (edge.caller.name(context.model), context.model.service_name(edge.callee));
        let message = format!(
            "the timeout of calls to `{callee}` ({inner:?}) exceeds that of `{caller}`'s callers ({outer:?})"
        );
        sink.push(
            Diagnostic::warning(CHECK.info.code, inner_place.span, message)
                .label(format!("{inner:?} for calls to `{callee}`"))
                .also(outer_place.span, format!("{outer:?} for calls to `{caller}`"))
                .also(edge.origin.span, format!("`{caller}` calls `{callee}`"))
                .help("give the inner call the shorter timeout"),
        );
    }
}

/// How long a caller waits, if somebody said so: the route's rule, a policy for the route, or one for the callee.
pub(crate) fn limit<'a>(context: &'a Context<'_>, edge: &'a Edge<'_>) -> Option<(Duration, &'a Origin)> {
    let own = match edge.caller {
        Caller::Service(_) => None,
        Caller::Route { rule, route, .. } => {
            let of_rule = rule.timeout.map(|timeout| (timeout, &rule.origin));
            of_rule.or_else(|| context.route_timeout(route).and_then(declared))
        }
    };
    own.or_else(|| declared(context.holds(edge.callee).timeout))
}

fn declared(timeout: &Timeout) -> Option<(Duration, &Origin)> {
    timeout
        .request
        .value
        .filter(|_| timeout.request.declared.is_some())
        .map(|request| (request, &timeout.origin))
}
