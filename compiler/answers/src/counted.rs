//! What counts the requests of a call, against what is expected.

use meshc_plan::InboundProtocol;
use meshc_plan::filter::Filter;
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::Callee;
use meshc_vocabulary::testing::CallTest;

use crate::admission;
use crate::expectation::{Asking, Sender};
use crate::found::Found;
use crate::limits::{self, Counted};
use crate::sending::{Handled, Way};
use crate::truth::Truth;

impl<'m> Asking<'_, 'm> {
    /// What counts a request at one of the callee's sidecars or before it, for each of them.
    pub(crate) fn counted(&self, call: &CallTest, way: &Way<'m>) -> Vec<Vec<Counted<'m>>> {
        let Handled::Forwarded { to, timeout: _ } = &way.handled else { return vec![way.counted.clone()] };
        let mut all = Vec::new();
        for to in to {
            let Callee::Service(service) = to.callee else { continue };
            let Some(port) = self.world.model.services.at(service).ports.get(to.port) else { continue };
            for (key, proxy) in self.world.sidecars(service, to.only.or(call.to.cluster)) {
                let here = match key {
                    ProxyKey::Sidecar { cluster: _, service } => service,
                    ProxyKey::Gateway(_) => service,
                };
                let mut counted = way.counted.clone();
                if let Some(chain) = admission::chain(self.world, proxy, here, port) {
                    counted.extend(limits::of_filters(filters(&chain.protocol), &way.sent));
                }
                all.push(counted);
            }
        }
        if all.is_empty() { vec![way.counted.clone()] } else { all }
    }

    /// Whether some limit counts every request of a call.
    pub(crate) fn limited(&self, call: &CallTest, senders: &[Sender<'m>]) -> Result<(), Found> {
        for sender in self.living(call, senders)? {
            for way in &sender.ways {
                for counted in self.counted(call, way) {
                    if counted.iter().any(|one| one.truth == Truth::Yes) {
                        continue;
                    }
                    return Err(match counted.iter().find(|one| one.truth == Truth::Depends) {
                        Some(open) => Found::new("some requests of it are not counted")
                            .at(open.by.span, "this counts some of them")
                            .help("name a request in a `call`"),
                        None => Found::new("no limit counts it").at(way.by.span, "it goes this way"),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether the tightest limit is as it is meant, wherever a request may be counted.
    pub(crate) fn each_limit(
        &self,
        call: &CallTest,
        senders: &[Sender<'m>],
        is_meant: impl Fn(Option<&Counted<'m>>) -> bool,
    ) -> Result<(), Found> {
        for sender in self.living(call, senders)? {
            for way in &sender.ways {
                for counted in self.counted(call, way) {
                    if let Some(open) = counted.iter().find(|one| one.truth == Truth::Depends) {
                        return Err(Found::new("whether this limit counts it depends on more than is given")
                            .at(open.by.span, "this limit"));
                    }
                    let tightest =
                        counted.iter().reduce(|one, other| if other.is_tighter(one) { other } else { one });
                    if !is_meant(tightest) {
                        return Err(match tightest {
                            Some(limit) => Found::new(format!("its limit is {}", limit.text()))
                                .at(limit.by.span, "declared here"),
                            None => Found::new("no limit counts it").at(way.by.span, "it goes this way"),
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

fn filters(protocol: &InboundProtocol) -> &[Filter] {
    match protocol {
        InboundProtocol::Http { app_http2: _, upgrades: _, vouching: _, told: _, retry: _, filters } => {
            filters
        }
        InboundProtocol::Tcp { .. } | InboundProtocol::Tls { .. } => &[],
    }
}
