//! Which proxies belong together, and which of them differ.

use std::collections::BTreeMap;

use meshc_plan::{ProxyName, ProxyPlan};

use crate::side::Side;

/// The proxies of a service or a gateway, on both sides.
#[derive(Debug, Default)]
pub(crate) struct Unit<'m> {
    pub(crate) old: Vec<&'m ProxyPlan>,
    pub(crate) new: Vec<&'m ProxyPlan>,
    differs: bool,
}

/// A proxy on both sides.
#[derive(Debug)]
pub(crate) enum Pair<'m> {
    Gone(&'m ProxyPlan),
    Added(&'m ProxyPlan),
    Same,
    Differs(&'m ProxyPlan, &'m ProxyPlan),
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Units<'m> {
    units: BTreeMap<String, Unit<'m>>,
    /// Each proxy, in order of name.
    pub(crate) pairs: Vec<Pair<'m>>,
}

impl<'m> Units<'m> {
    pub(crate) fn new(old: &Side<'_, 'm>, new: &Side<'_, 'm>) -> Self {
        let (old_plan, new_plan) = (old.world.plan, new.world.plan);
        let by_name = |proxies: &'m [ProxyPlan]| -> BTreeMap<&'m ProxyName, &'m ProxyPlan> {
            proxies.iter().map(|proxy| (&proxy.name, proxy)).collect()
        };
        let mut after = by_name(&new_plan.proxies);
        let mut units: BTreeMap<String, Unit<'m>> = BTreeMap::new();
        let mut pairs = BTreeMap::new();
        for (name, proxy) in by_name(&old_plan.proxies) {
            let other = after.remove(name);
            let pair = match other {
                None => Pair::Gone(proxy),
                Some(other) if old.digest(proxy) == new.digest(other) => Pair::Same,
                Some(other) => Pair::Differs(proxy, other),
            };
            let differs = !matches!(pair, Pair::Same);
            let unit = units.entry(old.owner(proxy)).or_default();
            unit.old.push(proxy);
            unit.differs |= differs;
            if let Some(other) = other {
                let unit = units.entry(new.owner(other)).or_default();
                unit.new.push(other);
                unit.differs |= differs;
            }
            pairs.insert(name, pair);
        }
        for (name, proxy) in after {
            let unit = units.entry(new.owner(proxy)).or_default();
            unit.new.push(proxy);
            unit.differs = true;
            pairs.insert(name, Pair::Added(proxy));
        }
        Self { units, pairs: pairs.into_values().collect() }
    }

    /// All others.
    pub(crate) fn unchanged(&self) -> impl Iterator<Item = &Unit<'m>> {
        self.units.values().filter(|unit| !unit.differs)
    }

    /// Those with a proxy that differs, in order of name.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &Unit<'m>> {
        self.units.values().filter(|unit| unit.differs)
    }
}
