//! Which policy holds where: for each kind of setting the nearest policy that has it, as a whole.

use std::collections::BTreeMap;

use meshc_vocabulary::model::policy::{
    Failover, Outlier, Policy, PolicyScope, PolicySettings, Pool, Retry, Timeout,
};
use meshc_vocabulary::model::{Id, Model, Namespace, Route, Service};

/// Policies by what they attach to, each list in order of (namespace, name).
pub(super) struct Attached<'m> {
    model: &'m Model,
    mesh: Vec<&'m Policy>,
    namespaces: BTreeMap<Id<Namespace>, Vec<&'m Policy>>,
    services: BTreeMap<Id<Service>, Vec<&'m Policy>>,
    routes: BTreeMap<Id<Route>, Vec<&'m Policy>>,
}

/// What rules the calls of a service, complete: where no policy says anything, the defaults hold.
pub(super) struct Settings<'m> {
    pub(super) failover: &'m Failover,
    pub(super) outlier: &'m Outlier,
    pub(super) pool: &'m Pool,
    pub(super) retry: Option<&'m Retry>,
    pub(super) timeout: &'m Timeout,
}

impl<'m> Attached<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
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

    /// The nearest policy of a service that makes a setting, and the setting.
    pub(super) fn nearest<T>(
        &self,
        service: Id<Service>,
        pick: impl Fn(&'m PolicySettings) -> Option<T>,
    ) -> Option<(&'m Policy, T)> {
        let namespace = self.model.services.at(service).namespace;
        let levels = [self.services.get(&service), self.namespaces.get(&namespace), Some(&self.mesh)];
        levels.into_iter().flatten().find_map(|level| first(level, &pick))
    }

    /// What a policy with this route among its targets says.
    pub(super) fn on_route<T>(
        &self,
        route: Id<Route>,
        pick: impl Fn(&'m PolicySettings) -> Option<T>,
    ) -> Option<T> {
        self.routes.get(&route).and_then(|level| first(level, &pick)).map(|(_, setting)| setting)
    }

    /// What rules the calls of a service.
    pub(super) fn settings(&self, service: Id<Service>) -> Settings<'m> {
        let defaults = &self.model.defaults;
        Settings {
            failover: self.setting(service, |it| it.failover.as_ref()).unwrap_or(&defaults.failover),
            outlier: self.setting(service, |it| it.outlier.as_ref()).unwrap_or(&defaults.outlier),
            pool: self.setting(service, |it| it.pool.as_ref()).unwrap_or(&defaults.pool),
            retry: self.setting(service, |it| it.retry.as_ref()),
            timeout: self.setting(service, |it| it.timeout.as_ref()).unwrap_or(&defaults.timeout),
        }
    }

    fn setting<T>(&self, service: Id<Service>, pick: impl Fn(&'m PolicySettings) -> Option<T>) -> Option<T> {
        self.nearest(service, pick).map(|(_, setting)| setting)
    }
}

fn first<'m, T>(
    level: &[&'m Policy],
    pick: &impl Fn(&'m PolicySettings) -> Option<T>,
) -> Option<(&'m Policy, T)> {
    level.iter().find_map(|policy| pick(&policy.settings).map(|setting| (*policy, setting)))
}
