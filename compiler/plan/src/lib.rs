//! What each proxy must do, in terms that belong to no data plane.
//!
//! The plan is the contract between the mesh (vocabulary, topology) and the backends (Envoy, meshd, Kubernetes):
//! one [`ProxyPlan`] per proxy, plain data, complete. A backend adds no decision of its own about meaning, and reads
//! nothing but the plan and a [`Placement`].
//!
//! Invariants: every node remembers its origin; every enum is closed and matched without a wildcard; addresses and
//! paths are the declared ones, and only `Placement` turns them into local ones; nothing depends on the number of
//! services that a proxy does not call.

mod authorization;
pub mod bounds;
pub mod capability;
pub mod codes;
mod deployment;
mod digest;
pub mod dns;
mod dump;
pub mod filter;
mod identity;
mod listener;
mod lower;
mod names;
mod outside_secrets;
pub mod paths;
mod placement;
mod proxy;
mod ranges;
mod rate_limit;
mod rendered;
mod route;
mod upstream;

pub use authorization::{
    AccessException, AccessRequests, AccessRule, Audit, Authorization, ClientName, Entrance, NO_RULE,
    Principal,
};
pub use deployment::{
    ApplicationPort, ClusterPlan, Deployment, GatewayDeployment, GatewayPortPlan, Owner, RedirectedFor,
    SidecarDeployment, localhost, wildcard,
};
pub use dump::{dump, phrases};
pub use identity::{Identity, PeerCheck};
pub use listener::{
    AppMetrics, AppPort, Carried, ClientCertificates, HttpListener, InboundChain, InboundListener,
    InboundProtocol, Listener, ListenerKind, MetricsListener, PassThrough, PassThroughChain, ProbeCheck,
    ServerCertificate, ServerTls, Socket, StatusListener, TcpListener, Told,
};
pub use lower::{Extent, lower, lower_each, lower_unless};
pub use names::{
    CHECK_SNI, VirtualRange, app_label, called_at_listener, called_by_sni, called_by_upstream, check_sni,
    companion_service, listen_port, object_name, outbound_listener, sni, upstream_name, virtual_address,
};
pub use outside_secrets::OutsideSecrets;
pub use placement::Placement;
pub use proxy::{ExternalPlan, ExternalPortPlan, Locality, Plan, ProxyName, ProxyPlan, Role};
pub use ranges::ClientRanges;
pub use rate_limit::{
    DESCRIPTOR_KEY, Descriptor, GlobalLimit, IPV6_PREFIX, KEY_LENGTH, Limit, LimitBucket, LimitCondition,
    LimitKey, LocalLimit, MOST_KEYS, NO_VALUE, RATE_LIMIT_UPSTREAM, RateLimitDomain, RateLimitService,
    UNPRINTABLE, key_name,
};
pub use rendered::{RenderedProxy, Rendering};
pub use route::{
    Deadlines, Elsewhere, HttpAction, HttpRoute, REPLAYED_BODY, Redirect, Respond, RetryPlan, RetryReason,
    VirtualHost, WeightedUpstream,
};
pub use upstream::{
    CheckPlan, Ejection, EjectionTiming, Endpoint, EndpointAddress, FailingAnswers, Group, GroupBalance,
    HealthPlan, PodFailures, PoolPlan, Serves, Share, Spill, Upstream, UpstreamProtocol, UpstreamTls,
};
