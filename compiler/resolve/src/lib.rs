//! What holds where, worked out once: the one place that weighs scopes against each other.
//!
//! For each service, route and gateway there is one value of each kind of policy, with its provenance: declared for this very
//! thing, inherited from the namespace or the mesh, or the default. For each call there is the conduct that results (the
//! rule of a route, then the route's policy, then the callee's), and for each caller and callee what the access rules
//! make of it. Topology, checks and plan read this and look at no scope themselves.
//!
//! Invariants: a kind of setting that exists is read here, or the crate does not compile (settings are destructured
//! whole); an answer depends on ids, never on places in the source, which two things may share; nothing is reported here.

mod access;
mod capture;
mod clients;
mod conduct;
mod edge;
mod implied;
mod misplaced;
mod resolved;
mod route;
mod routed;
mod service;
mod setting;

pub use access::{Access, Peer, Refusal};
pub use capture::{Captured, HeldPort, Holder, held_ports};
pub use clients::ClientRules;
pub use conduct::{Conduct, Through};
pub use edge::{Caller, Edge, destination_port, mirrored};
pub use implied::{covers, covers_all, disjoint};
pub use misplaced::{Misplaced, Obstacle};
pub use resolved::{Resolved, resolve};
pub use route::{GatewayPolicies, RoutePolicies};
pub use routed::{CalledPort, routed_ports};
pub use service::{LimitId, ServicePolicies};
pub use setting::{Provenance, Setting};
