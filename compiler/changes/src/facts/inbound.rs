//! What is so where a callee takes calls, but for who may.

use meshc_plan::filter::Filter;
use meshc_plan::{AppPort, Carried, InboundChain, InboundProtocol, Told, phrases};

use super::{limits, routes};
use crate::changes::Facts;
use crate::effect::Risk;
use crate::side::Side;

pub(super) fn tell(side: &Side<'_, '_>, owner: &str, chain: &InboundChain, facts: &mut Facts) {
    let InboundChain {
        sni,
        // Follows from the name.
        subset_sni: _,
        // Who may: `access`.
        peers: _,
        protocol,
        // The port's `mtls` says it, and its rules are those of the port.
        plain: _,
        // The target of the port.
        app: AppPort { upstream: _, port: _ },
        carries,
        origin: _,
    } = chain;
    match carries {
        Carried::Calls => {}
        // The callers have the check.
        Carried::Checks => return,
    }
    let Some(subject) = called(side, owner, sni) else { return };
    let subject = subject.as_str();
    facts.exists(subject);
    match protocol {
        InboundProtocol::Http {
            // That of the port.
            app_http2: _,
            upgrades,
            // Gateways that ask clients for certificates and call it.
            vouching: _,
            told,
            retry,
            filters,
        } => {
            match told {
                Told::Caller => {}
                Told::Nothing => facts.tell(Risk::Requests, subject, "told of its caller", "nothing"),
            }
            facts.tell_if(
                Risk::Retries,
                subject,
                "retries at the callee",
                retry.as_ref().map(phrases::retry),
            );
            facts.tell_if(Risk::Requests, subject, "upgrades taken", phrases::upgrades(upgrades));
            self::filters(side, subject, filters, facts);
        }
        InboundProtocol::Tcp { connect_attempts } => {
            let attempts = connect_attempts.to_string();
            facts.tell(Risk::Retries, subject, "attempts to connect to the application", attempts);
        }
        InboundProtocol::Tls { names, hello_timeout, connect_attempts } => {
            facts.tell(Risk::Routing, subject, "server names", names.join(" "));
            let hello = phrases::duration(*hello_timeout);
            facts.tell(Risk::Timeouts, subject, "time for a ClientHello", hello);
            let attempts = connect_attempts.to_string();
            facts.tell(Risk::Retries, subject, "attempts to connect to the application", attempts);
        }
    }
}

fn filters(side: &Side<'_, '_>, subject: &str, filters: &[Filter], facts: &mut Facts) {
    let mut told = Vec::new();
    for filter in filters {
        match filter {
            Filter::LocalLimit(limit) => {
                facts.sample(subject, limits::counted(&limit.matches, &limit.buckets, None));
            }
            Filter::GlobalLimit(limit) => {
                facts.sample(subject, limits::counted(&limit.matches, &limit.buckets, None));
            }
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Cors(_)
            | Filter::Delay(_)
            | Filter::Abort(_)
            | Filter::Rewrite(_)
            | Filter::Mirror(_) => {}
        }
        match filter {
            // Who may: `access`.
            Filter::Authorize(_) => {}
            Filter::Audit(_)
            | Filter::LocalLimit(_)
            | Filter::GlobalLimit(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Cors(_)
            | Filter::Delay(_)
            | Filter::Abort(_)
            | Filter::Rewrite(_)
            | Filter::Mirror(_) => routes::filter(side, filter, &mut told),
        }
    }
    for (risk, aspect, value) in told {
        facts.tell(risk, subject, aspect, value);
    }
}

/// What is called with a server name: a port of the service, or a host outside behind an egress gateway.
pub(crate) fn called(side: &Side<'_, '_>, owner: &str, sni: &str) -> Option<String> {
    let (service, namespace, number) = meshc_plan::called_by_sni(sni)?;
    let callee = format!("{namespace}.{service}");
    let label = side.label(&callee, number)?;
    Some(if callee == owner { label } else { format!("{label} through {owner}") })
}
