//! The conduct of one call: what is called, whether it is admitted, and how it is handled.

use meshc_resolve::{Access, Resolved};
use meshc_vocabulary::model::{Id, Service};

use super::settings::{said, service};
use super::{Answer, Context, NoAnswer, Part, text};

/// How a call is handled, port by port, for each way that it takes.
pub(super) fn answer(
    context: &Context<'_>,
    resolved: &Resolved<'_>,
    from: &[String],
    to: &[String],
) -> Result<Vec<Answer>, NoAnswer> {
    let (caller, callee) = (from.join("."), to.join("."));
    let Some(id) = service(resolved, to) else {
        let names: Vec<String> =
            resolved.model.services.ids().map(|id| resolved.model.service_name(id)).collect();
        let near = lang_diagnostics::suggest(&callee, names.iter().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the services are {}", names.join(", ")),
        };
        return Err(NoAnswer { message: format!("there is no service `{callee}`"), help });
    };
    let mut answers = Vec::new();
    for edge in resolved.incoming(id).filter(|edge| edge.caller.name(resolved.model) == caller) {
        let ports = edge.ports.iter().filter_map(|port| resolved.model.services.at(id).ports.get(*port));
        for (port, conduct) in ports.zip(resolved.conducts(edge)) {
            let mut parts = vec![Part {
                name: String::from("call"),
                value: format!("{caller} -> {callee}.{}", port.name),
                from: context.made(edge.origin.span),
                place: context.place(edge.origin.span),
            }];
            let (admitted, who, place) =
                access(context, resolved, id, edge.caller.peer(resolved.model), port);
            parts.push(Part { name: String::from("admitted"), value: admitted, from: who, place });
            for (name, setting) in [("timeout", conduct.timeout), ("idle", conduct.idle)] {
                let (from, place) = said(context, resolved, setting.from);
                parts.push(Part { name: name.to_owned(), value: text::bound(setting.value), from, place });
            }
            let (from, place) = said(context, resolved, conduct.retry.from);
            let attempts = conduct.retry.value.map_or_else(
                || String::from("only of connections that failed"),
                |retry| format!("{} attempts", retry.attempts),
            );
            parts.push(Part { name: String::from("retry"), value: attempts, from, place });
            answers.push(Answer { subject: format!("call `{caller} -> {callee}.{}`", port.name), parts });
        }
    }
    if answers.is_empty() {
        return Err(nobody(resolved, id, &caller, &callee));
    }
    Ok(answers)
}

fn access(
    context: &Context<'_>,
    resolved: &Resolved<'_>,
    callee: Id<Service>,
    peer: meshc_resolve::Peer<'_>,
    port: &meshc_vocabulary::model::Port,
) -> (String, String, String) {
    let answer = match resolved.access(peer, callee, port) {
        Access::Admitted => "yes",
        Access::Refused(_) => "no",
        Access::ByRequest { .. } => "by request",
    };
    let policies = resolved.service(callee);
    let from = policies.deny.from.place().map_or(policies.allow.from, |_| policies.deny.from);
    let (who, place) = match from.place() {
        Some(_) => said(context, resolved, from),
        None => (String::from("the declared call"), String::new()),
    };
    (answer.to_owned(), who, place)
}

fn nobody(resolved: &Resolved<'_>, callee: Id<Service>, caller: &str, name: &str) -> NoAnswer {
    let mut callers: Vec<String> =
        resolved.incoming(callee).map(|edge| edge.caller.name(resolved.model)).collect();
    callers.sort();
    callers.dedup();
    let help = match lang_diagnostics::suggest(caller, callers.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near} -> {name}`?"),
        None if callers.is_empty() => format!("no service and no route calls `{name}`"),
        None => format!("`{name}` is called by {}", callers.join(", ")),
    };
    NoAnswer { message: format!("`{caller}` does not call `{name}`"), help }
}
