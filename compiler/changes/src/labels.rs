//! Names of callees and their ports that are the same on both sides.
//!
//! A port is named only where a callee has several, on either side, and by its new name where only the name changed: the
//! same number is the same port. So a second port does not make another callee of the first one.

use std::collections::{BTreeMap, BTreeSet};

use meshc_plan::{called_at_listener, called_by_upstream};
use meshc_vocabulary::model::{Callee, Model, Port};

/// Names for what is called.
#[derive(Debug)]
pub(crate) struct Labels {
    /// Callees of which the port is named.
    several: BTreeSet<String>,
    /// Old names of ports, by the callee and the name: the new one.
    renamed: BTreeMap<(String, String), String>,
}

impl Labels {
    pub(crate) fn new(old: &Model, new: &Model) -> Self {
        let (before, after) = (ports(old), ports(new));
        let mut labels = Self { several: BTreeSet::new(), renamed: BTreeMap::new() };
        for (name, ports) in before.iter().chain(&after) {
            if ports.len() > 1 {
                labels.several.insert(name.clone());
            }
        }
        for (name, ports) in &before {
            let Some(others) = after.get(name) else { continue };
            for port in ports.iter().filter(|port| others.iter().all(|other| other.name != port.name)) {
                let same = others.iter().find(|other| {
                    other.number == port.number && ports.iter().all(|known| known.name != other.name)
                });
                if let Some(same) = same {
                    labels.renamed.insert((name.clone(), port.name.clone()), same.name.clone());
                }
            }
        }
        labels
    }

    /// `shop.web`, or `shop.web.http` where it has several ports.
    pub(crate) fn port(&self, callee: &str, port: &Port) -> String {
        if !self.several.contains(callee) {
            return callee.to_owned();
        }
        let renamed = self.renamed.get(&(callee.to_owned(), port.name.clone()));
        format!("{callee}.{}", renamed.unwrap_or(&port.name))
    }
}

fn ports(model: &Model) -> BTreeMap<String, &[Port]> {
    let services = model.services.ids().map(Callee::Service);
    let callees = services.chain(model.externals.ids().map(Callee::External));
    callees.map(|callee| (model.callee_name(callee), model.ports(callee))).collect()
}

/// What an upstream leads to: `namespace.name`, the only cluster that is meant, and the number of the port.
pub(crate) fn of_upstream(name: &str) -> Option<(String, Option<&str>, u16)> {
    let (name, namespace, number) = called_by_upstream(name)?;
    let (name, cluster) = match name.split_once('@') {
        Some((name, cluster)) => (name, Some(cluster)),
        None => (name, None),
    };
    Some((format!("{namespace}.{name}"), cluster, number))
}

/// What a listener of calls is for.
pub(crate) fn of_listener(name: &str) -> Option<(String, u16)> {
    let (name, namespace, number) = called_at_listener(name)?;
    Some((format!("{namespace}.{name}"), number))
}
