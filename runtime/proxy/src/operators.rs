//! Where operators find out how the proxy and the application are, as a snapshot has it.

use crate::upstream::Upstream;
use meshd_config::{AppMetrics, Probe};
use std::sync::Arc;

/// Where operators are told how the proxy and the application are.
#[derive(Debug)]
pub(crate) struct Readiness {
    /// Whether the proxy takes requests.
    pub(crate) ready_path: String,
    /// Whether its threads run.
    pub(crate) live_path: String,
    /// The application's probes.
    pub(crate) probes: Vec<(Probe, Arc<Upstream>)>,
}

/// Where metrics are served.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// The proxy's own.
    pub(crate) path: String,
    /// The application's.
    pub(crate) app: Option<(AppMetrics, Arc<Upstream>)>,
}
