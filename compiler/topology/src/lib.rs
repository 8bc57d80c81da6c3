//! The mesh as a graph: paths, localities and failures.
//!
//! For each (proxy, callee port) the topology gives groups of endpoints in order of preference, and for each
//! east-west gateway what it passes on. Nothing here knows a data plane, an address format or Kubernetes.
//!
//! Invariants: petgraph stays inside; all results are ordered; the same model always gives the same topology; a
//! proxy's part of it depends on nothing that the proxy does not call.

mod build;
mod callee;
mod networks;
mod placement;
mod simulate;
mod types;
mod ways;

pub use build::build;
pub use simulate::{Answer, Failure, Failures, Outcome, Simulation, Survivors, simulate};
pub use types::{
    Asked, BrokenHop, Export, Group, Hop, Nearness, ProxyKey, Reach, Topology, Unreachable, Via,
};
