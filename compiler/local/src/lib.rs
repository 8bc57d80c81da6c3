//! The same plan placed on one machine: every address of a mesh becomes a port on loopback.
//!
//! [`place`] says where each thing is, for the backends; [`layout`] says the same to whoever starts the processes and
//! prints the addresses. Nothing here starts anything, and nothing declared by a mesh is ever an address to send to.

mod layout;
mod place;

pub use layout::{
    Application, ApplicationAddress, CallAddress, Carries, ExternalAddress, GatewayAddress, HostAddress,
    Layout, ProxyAddress, RateLimitAddress, layout,
};
pub use place::{place, ports, root};
