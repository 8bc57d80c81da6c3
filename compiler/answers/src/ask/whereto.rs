//! Where a request from outside goes: at each ingress gateway, or at one.

use meshc_plan::Role;
use meshc_topology::ProxyKey;
use meshc_vocabulary::testing::{CallFrom, CallTo, Request};

use super::reply::{Fact, Line};
use super::{Asked, RequestWords, agreed};
use crate::admission::{Admission, Verdict};
use crate::expectation::Sender;
use crate::sending::{Handled, Sending, Way};
use crate::sent::Sent;
use crate::truth::Truth;

/// What a gateway answers where no route takes a request.
const NO_ROUTE: u16 = 404;

impl<'m> Asked<'_, 'm> {
    /// What becomes of a request at each port of the gateways that are meant.
    pub(crate) fn whereto(&self, request: &RequestWords, at: Option<CallFrom>) -> (Truth, Vec<Line>) {
        let world = self.asking.world;
        let RequestWords { method, path, host, headers } = request;
        let sent = Sent::new(&Request {
            method: method.clone(),
            path: path.clone(),
            host: host.clone(),
            headers: headers.clone(),
        });
        let sending = Sending { world, callees: self.asking.callees, log: self.asking.log };
        let mut lines = Vec::new();
        for (id, gateway) in world.model.gateways.iter() {
            let key = ProxyKey::Gateway(id);
            let Some(proxy) = world.proxy(key) else { continue };
            match proxy.role {
                Role::IngressGateway(_) => {}
                Role::EastWestGateway(_) | Role::EgressGateway(_) | Role::Sidecar(_) => continue,
            }
            for (position, port) in gateway.ports.iter().enumerate() {
                let is_meant = match at {
                    None => true,
                    Some(CallFrom::Gateway(wanted, port)) => {
                        wanted == id && port.is_none_or(|port| port == position)
                    }
                    Some(CallFrom::Service(..)) => false,
                };
                if !is_meant {
                    continue;
                }
                let name = format!("{}.{}", world.model.gateway_name(id), port.name);
                if self.asking.survivors.caller_failed(key) {
                    lines.push(plain(Truth::No, &name, String::from("the gateway has failed")));
                    continue;
                }
                let listener = self.asking.listener(id, Some(position));
                let open = self.asking.log.open(|| format!("at `{name}`"), None);
                let ways = sending.of_gateway(proxy, listener.as_deref(), &sent);
                let sender = Sender { key, proxy, name: name.clone(), ways: Vec::new() };
                let own: Vec<Line> = ways
                    .iter()
                    .map(|way| self.leads(CallFrom::Gateway(id, Some(position)), &sender, way))
                    .collect();
                self.asking.log.close(&open, agreed(own.iter().map(|line| line.verdict)));
                if own.is_empty() {
                    lines.push(plain(Truth::No, &name, String::from("no route takes it")));
                }
                lines.extend(own);
            }
        }
        (Truth::any(lines.iter().map(|line| line.verdict)), lines)
    }

    fn leads(&self, from: CallFrom, sender: &Sender<'m>, way: &Way<'m>) -> Line {
        let name = &sender.name;
        let taken = Fact::at(way.by.span, self.taker(way));
        if let (Handled::Answered(status), Some(unfit)) = (&way.handled, way.sent.unfit) {
            let text = format!("the gateway refuses it with {status}: {}", unfit.why());
            return plain(Truth::No, name, text);
        }
        let to = match &way.handled {
            Handled::Answered(NO_ROUTE) if self.rule(way).is_none() => {
                return plain(not_sure(way), name, String::from("no route takes it: 404"));
            }
            Handled::Answered(status) => {
                let mut line = plain(way.truth, name, format!("the gateway answers it with {status}"));
                line.facts.push(taken);
                return line;
            }
            Handled::Forwarded { to, timeout: _ } => to,
        };
        let model = self.asking.world.model;
        let shares: u32 = to.iter().map(|to| to.weight).sum();
        let mut line = plain(Truth::Yes, name, String::new());
        line.facts.push(taken);
        let mut verdicts = Vec::new();
        let mut texts = Vec::new();
        for to in to {
            let callee = CallTo { callee: to.callee, port: None, cluster: None };
            let fate = self.at_destination(&self.call(from, callee, None), sender, way, to);
            let share =
                if to.weight == shares { String::new() } else { format!("{} of {shares} ", to.weight) };
            texts.push(format!("{share}to `{}`: {}", model.callee_name(to.callee), fate.text));
            verdicts.push(fate.verdict);
            line.answered_by.extend(fate.answered_by);
            line.facts.extend(fate.facts);
        }
        line.text = texts.join("; ");
        line.verdict = agreed(verdicts);
        if let Some(entrance) = way.entrance.as_ref().filter(|it| it.verdict != Verdict::Admitted) {
            line.text = format!("the gateway {}; else {}", entrance_text(entrance), line.text);
            line.verdict = match entrance.verdict {
                Verdict::Refused => Truth::No,
                Verdict::Admitted | Verdict::Depends => line.verdict.and(Truth::Depends),
            };
        }
        if way.truth == Truth::Depends {
            line.verdict = line.verdict.and(Truth::Depends);
        }
        line.facts.extend(to.first().into_iter().flat_map(|to| self.settings(sender.key, way, to)));
        line
    }
}

fn entrance_text(entrance: &Admission<'_>) -> String {
    match entrance.verdict {
        Verdict::Admitted => String::from("admits it"),
        Verdict::Refused => format!("refuses it: {}", entrance.why),
        Verdict::Depends => format!("may refuse it: {}", entrance.why),
    }
}

fn not_sure(way: &Way<'_>) -> Truth {
    match way.truth {
        Truth::Depends => Truth::Depends,
        Truth::Yes | Truth::No => Truth::No,
    }
}

fn plain(verdict: Truth, who: &str, text: String) -> Line {
    Line { verdict, who: who.to_owned(), text, answered_by: Vec::new(), facts: Vec::new() }
}
