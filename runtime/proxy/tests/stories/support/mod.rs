//! What the stories are told with: certificates, applications, clients and proxies, all on loopback.

pub(crate) mod any_server;
pub(crate) mod app;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod dns;
pub(crate) mod world;

pub(crate) use app::App;
pub(crate) use certificates::{Authority, Leaf};
pub(crate) use client::Client;
pub(crate) use world::{World, group, upstream};

/// The SNI of a mesh hop to port 80 of a service in the namespace `shop`.
pub(crate) fn sni(service: &str) -> String {
    format!("outbound_.80_._.{service}.shop.svc.cluster.local")
}

/// The identity of a service in the namespace `shop`.
pub(crate) fn spiffe(service: &str) -> String {
    format!("spiffe://cluster.local/ns/shop/sa/{service}")
}
