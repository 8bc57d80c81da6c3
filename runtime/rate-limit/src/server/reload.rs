//! Following the files: a changed configuration takes effect, a wrong one is refused and the old one holds.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::log;
use crate::metrics::{Metrics, count};
use crate::rules::{self, Rules, RulesError};
use crate::service::Service;
use crate::source::{self, Snapshot};

/// Parses what was read.
pub(super) fn parse(snapshot: &Snapshot, metrics: &Metrics) -> Result<Rules, RulesError> {
    rules::parse(snapshot.iter().map(|(name, text)| (name.as_str(), text.as_str())), metrics)
}

/// Looks at the files again and again until it is dropped. Contents are compared, since a ConfigMap changes by links that
/// move, and times of files say little there.
pub(super) async fn follow(paths: Vec<PathBuf>, every: Duration, mut seen: Snapshot, service: Arc<Service>) {
    let mut unreadable = false;
    loop {
        tokio::time::sleep(every).await;
        match source::read(&paths) {
            // While a directory is being changed a file may be missing for a moment; it is reported once.
            Err(error) => {
                if !unreadable {
                    log(&format!("{error}; the limits that were read before hold"));
                }
                unreadable = true;
            }
            Ok(snapshot) => {
                unreadable = false;
                if snapshot != seen {
                    take(&snapshot, &service);
                    seen = snapshot;
                }
            }
        }
    }
}

/// Puts a changed configuration into effect, or refuses it.
fn take(snapshot: &Snapshot, service: &Service) {
    let metrics = &service.metrics;
    let refuse = |reason: String| {
        log(&format!("refused the changed configuration, the old one holds: {reason}"));
        count(&metrics.refused_reloads);
        metrics.stale.store(true, Ordering::Relaxed);
    };
    if snapshot.is_empty() {
        return refuse("there is no file any more".to_owned());
    }
    match parse(snapshot, metrics) {
        Err(error) => refuse(error.to_string()),
        Ok(rules) => {
            service.rules.store(Arc::new(rules));
            count(&metrics.reloads);
            metrics.stale.store(false, Ordering::Relaxed);
            log("the changed configuration is in effect");
        }
    }
}
