//! Which policies attach where, and what holds in the end.

use std::collections::BTreeMap;

use super::{Effective, EffectiveRoute, Policy, PolicyScope, PolicySettings};
use crate::model::{Id, Model, Namespace, Route, Service};

/// The policies of a model by what they attach to, each list in order of (namespace, name). Make it once and ask it
/// often: asking for one service does not look at all policies of the mesh.
#[derive(Debug)]
pub struct Attached<'m> {
    model: &'m Model,
    mesh: Vec<&'m Policy>,
    namespaces: BTreeMap<Id<Namespace>, Vec<&'m Policy>>,
    services: BTreeMap<Id<Service>, Vec<&'m Policy>>,
    routes: BTreeMap<Id<Route>, Vec<&'m Policy>>,
}

impl<'m> Attached<'m> {
    /// The index over a model's policies.
    #[must_use]
    pub fn new(model: &'m Model) -> Self {
        let mut attached = Self {
            model,
            mesh: Vec::new(),
            namespaces: BTreeMap::new(),
            services: BTreeMap::new(),
            routes: BTreeMap::new(),
        };
        for (_, policy) in model.policies.iter() {
            match &policy.scope {
                PolicyScope::Mesh => attached.mesh.push(policy),
                PolicyScope::Namespace(id) => attached.namespaces.entry(*id).or_default().push(policy),
                PolicyScope::Targets { services, routes } => {
                    for service in services {
                        attached.services.entry(service.value).or_default().push(policy);
                    }
                    for route in routes {
                        attached.routes.entry(route.value).or_default().push(policy);
                    }
                }
            }
        }
        attached
    }

    /// Every level at which policies attach, with what attaches there: the mesh, each namespace, each service, each
    /// route.
    pub fn levels(&self) -> impl Iterator<Item = &[&'m Policy]> {
        let namespaces = self.namespaces.values().map(Vec::as_slice);
        let services = self.services.values().map(Vec::as_slice);
        let routes = self.routes.values().map(Vec::as_slice);
        std::iter::once(self.mesh.as_slice()).chain(namespaces).chain(services).chain(routes)
    }

    /// The nearest policy of a service that makes a setting, and the setting. Two at one level have been reported.
    pub fn nearest<T>(
        &self,
        service: Id<Service>,
        setting: impl Fn(&'m PolicySettings) -> Option<T>,
    ) -> Option<(&'m Policy, T)> {
        let namespace = self.model.services.at(service).namespace;
        let levels = [self.services.get(&service), self.namespaces.get(&namespace), Some(&self.mesh)];
        levels.into_iter().flatten().find_map(|level| first(level, &setting))
    }

    /// The policy that makes a setting for this very route, and the setting.
    pub fn on_route<T>(
        &self,
        route: Id<Route>,
        setting: impl Fn(&'m PolicySettings) -> Option<T>,
    ) -> Option<(&'m Policy, T)> {
        self.routes.get(&route).and_then(|level| first(level, &setting))
    }

    /// What holds at a service: for each kind of setting the one of the nearest policy that has it, else the default.
    #[must_use]
    pub fn effective(&self, service: Id<Service>) -> Effective {
        let defaults = &self.model.defaults;
        Effective {
            failover: self
                .setting(service, |set| set.failover.as_ref())
                .unwrap_or(&defaults.failover)
                .clone(),
            outlier: self.setting(service, |set| set.outlier.as_ref()).unwrap_or(&defaults.outlier).clone(),
            pool: self.setting(service, |set| set.pool.as_ref()).unwrap_or(&defaults.pool).clone(),
            retry: self.setting(service, |set| set.retry.as_ref()).cloned(),
            timeout: self.setting(service, |set| set.timeout.as_ref()).unwrap_or(&defaults.timeout).clone(),
            allow: self.setting(service, |set| said(&set.allow)).cloned().unwrap_or_default(),
            deny: self.setting(service, |set| said(&set.deny)).cloned().unwrap_or_default(),
            rate_limits: self.setting(service, |set| said(&set.rate_limits)).cloned().unwrap_or_default(),
        }
    }

    /// What policies say about this very route. What is absent is decided by the destination's own settings.
    #[must_use]
    pub fn effective_route(&self, route: Id<Route>) -> EffectiveRoute {
        let limits = self.on_route(route, |set| said(&set.rate_limits));
        EffectiveRoute {
            retry: self.on_route(route, |set| set.retry.as_ref()).map(|(_, retry)| retry.clone()),
            timeout: self.on_route(route, |set| set.timeout.as_ref()).map(|(_, timeout)| timeout.clone()),
            rate_limits: limits.map(|(_, limits)| limits.clone()).unwrap_or_default(),
        }
    }

    fn setting<T>(
        &self,
        service: Id<Service>,
        setting: impl Fn(&'m PolicySettings) -> Option<T>,
    ) -> Option<T> {
        self.nearest(service, setting).map(|(_, found)| found)
    }
}

impl Model {
    /// What holds at one service. Whoever asks for many makes an [`Attached`] first.
    #[must_use]
    pub fn effective(&self, service: Id<Service>) -> Effective {
        Attached::new(self).effective(service)
    }

    /// What policies say about one route. Whoever asks for many makes an [`Attached`] first.
    #[must_use]
    pub fn effective_route(&self, route: Id<Route>) -> EffectiveRoute {
        Attached::new(self).effective_route(route)
    }
}

fn first<'m, T>(
    level: &[&'m Policy],
    setting: impl Fn(&'m PolicySettings) -> Option<T>,
) -> Option<(&'m Policy, T)> {
    level.iter().find_map(|policy| setting(&policy.settings).map(|found| (*policy, found)))
}

/// A list that says something.
fn said<T>(list: &Vec<T>) -> Option<&Vec<T>> {
    (!list.is_empty()).then_some(list)
}
