//! Health checks that pods spend their time on.

use std::collections::BTreeMap;
use std::time::Duration;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink, Span};
use meshc_resolve::Provenance;
use meshc_topology::{ProxyKey, Via};
use meshc_vocabulary::model::{Callee, Cluster, Id, Model, Service};

use crate::context::{Context, listed};
use crate::list::Check;

/// How many checks of one port a pod gets in a second before that is worth a warning. Each is a request over a connection
/// that is open, so as many cost about a hundredth of a core.
const MANY: u64 = 20;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0354"),
        title: "many health checks",
        explanation: r#"Each proxy that calls a service checks each of its pods in its own network, so a pod is asked by as many proxies as its
callers have pods: with an interval of a second, by three hundred callers three hundred times a second. This is said where
declared replicas come to more than twenty checks of a port a second.

```mesh
service web  { clusters = [west], calls = [cart], in west { replicas = 300 }, … }
service cart { clusters = [west], … }
policy watch { targets = [cart], health { check = http { path = "/healthz" }, interval = 1s } }     // interval = 20s
```

Raise the interval, or leave such pods to ejection, which costs nothing and sees what requests see.
"#,
    },
    run,
};

/// A policy, and what it leads to.
struct Found {
    place: Span,
    interval: Duration,
    /// Proxies that check the same pods.
    most: u64,
    services: Vec<String>,
}

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut asked: BTreeMap<(Id<Service>, usize, Id<Cluster>), u64> = BTreeMap::new();
    for (key, reaches) in &context.topology.reaches {
        let proxies = u64::from(replicas(model, *key));
        for reach in reaches {
            let Callee::Service(service) = reach.callee else { continue };
            // Few services are checked.
            if context.resolved.service(service).health.value.is_none() {
                continue;
            }
            for group in reach.groups.iter() {
                match group.via {
                    Via::Pods => *asked.entry((service, reach.port, group.cluster)).or_default() += proxies,
                    // A proxy asks through a gateway at most a few times, whatever is behind it.
                    Via::Gateways { .. } | Via::External => {}
                }
            }
        }
    }
    let mut found: BTreeMap<Provenance<'_>, Found> = BTreeMap::new();
    for ((id, port, _), proxies) in asked {
        let health = context.resolved.service(id).health;
        let protocol = model.services.at(id).ports.get(port).map(|port| port.protocol);
        let (Some(value), Some(protocol)) = (health.value, protocol) else { continue };
        let in_a_second = u128::from(proxies) * 1000 / value.interval.as_millis().max(1);
        if !value.check.value.suits(protocol) || in_a_second <= u128::from(MANY) {
            continue;
        }
        let found = found.entry(health.from).or_insert_with(|| Found {
            place: value.origin.span,
            interval: value.interval,
            most: 0,
            services: Vec::new(),
        });
        found.most = found.most.max(proxies);
        let name = model.service_name(id);
        if !found.services.contains(&name) {
            found.services.push(name);
        }
    }
    for Found { place, interval, most, services } in found.into_values() {
        let services = listed(services.iter().map(String::as_str));
        let message = format!("each pod of {services} is checked by {most} proxies every {interval:?}");
        let enough = most.div_ceil(MANY);
        sink.push(
            Diagnostic::warning(CHECK.info.code, place, message)
                .label(format!("more than {MANY} checks a second"))
                .help(format!("use `interval = {enough}s` or more, or leave these pods to ejection")),
        );
    }
}

/// How many proxies there are of one.
fn replicas(model: &Model, key: ProxyKey) -> u32 {
    match key {
        ProxyKey::Sidecar { cluster, service } => {
            let presence = model.services.at(service).presence(cluster);
            presence.map_or(1, |presence| presence.replicas)
        }
        ProxyKey::Gateway(gateway) => model.gateways.at(gateway).replicas,
    }
}
