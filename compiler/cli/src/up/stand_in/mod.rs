//! Applications that stand in for the real ones: they say who they are and who called, and fail when they are told to.

mod attempts;
mod grpc;
mod http;
mod server;
mod tcp;
mod websocket;
mod xfcc;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub(crate) use server::serve;

/// How an application behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Behaviour {
    /// It answers.
    Well,
    /// It answers every request with 500, every call of gRPC with INTERNAL, and closes every TCP connection.
    Error,
    /// It takes connections and requests and never answers.
    Hang,
    /// Its ports are closed.
    Gone,
}

/// How an application behaves, once it does not hang: what hangs goes on when the application is healed; if the switch is
/// gone, never.
async fn awake(behaviour: &mut watch::Receiver<Behaviour>) -> Behaviour {
    let awake = behaviour.wait_for(|behaviour| *behaviour != Behaviour::Hang).await.map(|awake| *awake);
    match awake {
        Ok(behaviour) => behaviour,
        Err(_) => std::future::pending().await,
    }
}

/// What speaks on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// HTTP/1.1 and HTTP/2, with gRPC and WebSockets.
    Http,
    /// A banner, then every byte back.
    Tcp,
    /// Whatever the process at this address of loopback speaks.
    Process(SocketAddr),
}

/// What is behind a port.
#[derive(Clone)]
pub(crate) struct Stand {
    /// What speaks.
    pub(crate) speech: Speech,
    /// How TLS ends there, if it is spoken.
    pub(crate) tls: Option<TlsAcceptor>,
}

/// What was said in a TLS handshake.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Shaken {
    /// The server name that the client sent.
    sni: Option<String>,
    /// DNS names in the certificate that it showed.
    client: Vec<String>,
}

/// An application and how it is told to behave.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Which one.
    pub(crate) instance: Instance,
    /// Its switch.
    pub(crate) behaviour: watch::Receiver<Behaviour>,
}

/// Which application something is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// `namespace.service`, or `namespace.service.subset`.
    pub(crate) service: String,
    /// The cluster.
    pub(crate) cluster: String,
}

impl Instance {
    /// Whether this is what somebody calls it: its name or that of its service with all subsets, with the namespace or
    /// without.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        is_name_of(name, &self.service) || is_name_of(name, self.whole())
    }

    /// Its service, `namespace.service`.
    fn whole(&self) -> &str {
        let end = self.service.match_indices('.').nth(1).map(|(end, _)| end);
        end.and_then(|end| self.service.get(..end)).unwrap_or(&self.service)
    }
}

/// Whether a name is this one, with the namespace or without.
fn is_name_of(name: &str, full: &str) -> bool {
    name == full || full.split_once('.').is_some_and(|(_, rest)| rest == name)
}

/// The switches of all applications.
#[derive(Debug, Default)]
pub(crate) struct Switchboard {
    switches: BTreeMap<Instance, watch::Sender<Behaviour>>,
}

impl Switchboard {
    /// Follows an application's switch; it is made on the first call.
    pub(crate) fn follow(&mut self, instance: &Instance) -> watch::Receiver<Behaviour> {
        let fresh = || watch::channel(Behaviour::Well).0;
        self.switches.entry(instance.clone()).or_insert_with(fresh).subscribe()
    }

    /// Every application, in order.
    pub(crate) fn instances(&self) -> Vec<Instance> {
        self.switches.keys().cloned().collect()
    }

    /// Those that are told to fail, and how.
    pub(crate) fn failing(&self) -> Vec<(Instance, Behaviour)> {
        let behaviours = self.switches.iter().map(|(instance, switch)| (instance.clone(), *switch.borrow()));
        behaviours.filter(|(_, behaviour)| *behaviour != Behaviour::Well).collect()
    }

    /// Those whose ports are closed.
    pub(crate) fn gone(&self) -> BTreeSet<Instance> {
        let gone = self.switches.iter().filter(|(_, switch)| *switch.borrow() == Behaviour::Gone);
        gone.map(|(instance, _)| instance.clone()).collect()
    }

    /// Sets how the application of `service` (`namespace.service`, or only `service` if that is enough) behaves in a
    /// cluster, or those of all its subsets, and returns which they were, or why it is not exactly one service.
    pub(crate) fn set(
        &self,
        service: &str,
        cluster: &str,
        behaviour: Behaviour,
    ) -> Result<Vec<Instance>, String> {
        let named = |instance: &&Instance| instance.is_called(service);
        let all: Vec<&Instance> = self.switches.keys().filter(named).collect();
        let here: Vec<&Instance> =
            all.iter().copied().filter(|instance| instance.cluster == cluster).collect();
        let wholes: BTreeSet<&str> = here.iter().map(|instance| instance.whole()).collect();
        match here.as_slice() {
            [] if all.is_empty() => {
                let known = list(self.switches.keys().map(|instance| instance.service.as_str()));
                Err(format!("no application of a service `{service}` runs here; there are {known}"))
            }
            [] => {
                let clusters = list(all.iter().map(|instance| instance.cluster.as_str()));
                Err(format!("`{service}` does not run in `{cluster}`, only in {clusters}"))
            }
            several if wholes.len() > 1 => {
                let names = list(several.iter().map(|instance| {
                    let whole = instance.whole();
                    if is_name_of(service, whole) { whole } else { instance.service.as_str() }
                }));
                Err(format!("`{service}` may be {names}: say which"))
            }
            instances => {
                for instance in instances {
                    if let Some(switch) = self.switches.get(*instance) {
                        switch.send_replace(behaviour);
                    }
                }
                Ok(instances.iter().copied().cloned().collect())
            }
        }
    }
}

/// Names in backticks, each once, in order.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.collect();
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Switchboard {
        let mut board = Switchboard::default();
        for (service, cluster) in [("a.web", "west"), ("a.web", "east"), ("b.web", "west"), ("b.db", "east")]
        {
            board.follow(&Instance { service: service.to_owned(), cluster: cluster.to_owned() });
        }
        board
    }

    #[test]
    fn a_name_is_enough_where_it_is_unambiguous() {
        let mut board = board();
        let found = board.set("db", "east", Behaviour::Error).unwrap();
        assert_eq!(names(&found), ["b.db"]);
        assert_eq!(*board.follow(&found[0]).borrow(), Behaviour::Error);
        assert_eq!(names(&board.set("a.web", "west", Behaviour::Gone).unwrap()), ["a.web"]);
        assert_eq!(names(&board.set("web", "east", Behaviour::Hang).unwrap()), ["a.web"]);
    }

    fn names(instances: &[Instance]) -> Vec<&str> {
        instances.iter().map(|instance| instance.service.as_str()).collect()
    }

    #[test]
    fn a_service_is_all_its_subsets() {
        let mut board = Switchboard::default();
        let mut add = |service: &str, cluster: &str| {
            board.follow(&Instance { service: service.to_owned(), cluster: cluster.to_owned() })
        };
        let v1 = add("a.reviews.v1", "west");
        let v2 = add("a.reviews.v2", "west");
        let east = add("a.reviews.v2", "east");
        let other = add("b.reviews.v1", "east");
        for name in ["reviews", "a.reviews"] {
            let found = board.set(name, "west", Behaviour::Gone).unwrap();
            assert_eq!(names(&found), ["a.reviews.v1", "a.reviews.v2"], "{name}");
            assert_eq!((*v1.borrow(), *v2.borrow()), (Behaviour::Gone, Behaviour::Gone));
            assert_eq!(*east.borrow(), Behaviour::Well, "another cluster");
            board.set(name, "west", Behaviour::Well).unwrap();
        }
        assert_eq!(names(&board.set("reviews.v2", "west", Behaviour::Error).unwrap()), ["a.reviews.v2"]);
        assert_eq!((*v1.borrow(), *v2.borrow()), (Behaviour::Well, Behaviour::Error));
        let refusal = board.set("reviews", "east", Behaviour::Gone).unwrap_err();
        assert_eq!(refusal, "`reviews` may be `a.reviews`, `b.reviews`: say which");
        assert_eq!(*other.borrow(), Behaviour::Well);
        let refusal = board.set("reviews.v1", "north", Behaviour::Gone).unwrap_err();
        assert_eq!(refusal, "`reviews.v1` does not run in `north`, only in `east`, `west`");
    }

    #[test]
    fn anything_else_says_what_there_is() {
        let board = board();
        let refusal = |service, cluster| board.set(service, cluster, Behaviour::Well).unwrap_err();
        assert_eq!(refusal("web", "west"), "`web` may be `a.web`, `b.web`: say which");
        assert_eq!(refusal("db", "west"), "`db` does not run in `west`, only in `east`");
        let none = "no application of a service `x` runs here; there are `a.web`, `b.db`, `b.web`";
        assert_eq!(refusal("x", "west"), none);
    }
}
