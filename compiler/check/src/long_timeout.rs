//! A timeout that is longer than the one of whoever waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_resolve::{Edge, Provenance, Setting};
use meshc_vocabulary::model::{Id, Service};

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
    let mut shortest: BTreeMap<Id<Service>, Declared<'_>> = BTreeMap::new();
    for edge in &context.resolved.edges {
        if let Some(declared) = declared(context, edge) {
            let known = shortest.entry(edge.callee).or_insert(declared);
            if declared.timeout < known.timeout {
                *known = declared;
            }
        }
    }
    let mut reported = BTreeSet::new();
    for edge in &context.resolved.edges {
        let Some(caller) = edge.caller.service() else { continue };
        let (Some(inner), Some(outer)) = (declared(context, edge), shortest.get(&caller)) else { continue };
        if inner.timeout <= outer.timeout || !reported.insert((inner.from, outer.from)) {
            continue;
        }
        let (caller, callee) = (edge.caller.name(context.model), context.model.service_name(edge.callee));
        let (inner_time, outer_time) = (inner.timeout, outer.timeout);
        let message = format!(
            "the timeout of calls to `{callee}` ({inner_time:?}) exceeds that of `{caller}`'s callers ({outer_time:?})"
        );
        sink.push(
            Diagnostic::warning(CHECK.info.code, inner.at.span, message)
                .label(format!("{inner_time:?} for calls to `{callee}`"))
                .also(outer.at.span, format!("{outer_time:?} for calls to `{caller}`"))
                .also(edge.origin.span, format!("`{caller}` calls `{callee}`"))
                .help("give the inner call the shorter timeout"),
        );
    }
}

/// How long a caller waits, said by somebody.
#[derive(Clone, Copy)]
pub(crate) struct Declared<'a> {
    pub(crate) timeout: Duration,
    pub(crate) from: Provenance<'a>,
    pub(crate) at: &'a Origin,
}

/// How long a caller waits, if somebody said so; of several ports, at the least patient one.
pub(crate) fn declared<'a>(context: &Context<'a>, edge: &Edge<'a>) -> Option<Declared<'a>> {
    let timeouts = context.resolved.conducts(edge).map(|conduct| conduct.timeout);
    let declared = timeouts
        .filter_map(|Setting { value, from }| Some(Declared { timeout: value?, from, at: from.place()? }));
    declared.min_by_key(|declared| declared.timeout)
}
