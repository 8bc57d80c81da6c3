//! Health checks: each endpoint of an upstream is asked again and again, whatever requests it gets.
//!
//! One task follows an upstream and one each of its endpoints, on the thread that serves probes, so that checks go on
//! whatever the workers do. They end with what they follow: an upstream that a reload keeps is followed on, with all that is
//! known of its endpoints.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

mod ask;
mod verdict;

use crate::balance::Picked;
use crate::metrics::Metrics;
use crate::random;
use crate::upstream::{Endpoint, Upstream};
use ask::{Kept, ask};
use meshd_config::Health;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use verdict::Verdict;

/// How many endpoints of one upstream are asked at once: many that hang must not take up all file descriptors.
const AT_ONCE: usize = 32;

/// How often it is looked whether an upstream is still there, and its endpoints are the same, if nobody tells.
const LOOK: Duration = Duration::from_secs(5);

/// What is known about the checks of an upstream.
#[derive(Debug)]
pub(crate) struct Checks {
    /// Told when an upstream has other endpoints.
    pub(crate) renewed: Arc<Notify>,
    is_followed: AtomicBool,
    first_round: watch::Sender<bool>,
    permits: Semaphore,
}

impl Checks {
    pub(crate) fn new() -> Self {
        Checks {
            renewed: Arc::default(),
            is_followed: AtomicBool::new(false),
            first_round: watch::Sender::new(false),
            permits: Semaphore::new(AT_ONCE),
        }
    }

    /// Whether nobody follows the upstream yet. Whoever is told so does from then on.
    pub(crate) fn begin(&self) -> bool {
        !self.is_followed.swap(true, Ordering::Relaxed)
    }

    /// Returns once every endpoint that was known in the beginning has been asked.
    pub(crate) async fn first_round(&self) {
        let _ = self.first_round.subscribe().wait_for(|is_over| *is_over).await;
    }
}

/// Follows an upstream until it is gone. Runs on a thread with a set of local tasks.
pub(crate) async fn follow(upstream: Weak<Upstream>, metrics: Arc<Metrics>) {
    let mut followed = BTreeSet::new();
    // Each of the first endpoints has a copy until it has been asked.
    let (first, mut all_first) = mpsc::channel::<Infallible>(1);
    let mut first = Some(first);
    let told = upstream.clone();
    tokio::task::spawn_local(async move {
        all_first.recv().await;
        if let Some(checks) = told.upgrade().as_ref().and_then(|upstream| upstream.checks.as_ref()) {
            checks.first_round.send_replace(true);
        }
    });
    loop {
        let Some(known) = upstream.upgrade() else { return };
        let Some(checks) = &known.checks else { return };
        let renewed = Arc::clone(&checks.renewed);
        let mut there = BTreeSet::new();
        for (position, group) in known.groups.iter().enumerate() {
            for endpoint in group.members.all() {
                there.insert(endpoint.id);
                if followed.insert(endpoint.id) {
                    let endpoint = Arc::downgrade(&endpoint);
                    let checked = Checked { upstream: upstream.clone(), position, endpoint };
                    tokio::task::spawn_local(checked.again_and_again(Arc::clone(&metrics), first.clone()));
                }
            }
        }
        first = None;
        followed.retain(|id| there.contains(id));
        drop(known);
        let _ = tokio::time::timeout(LOOK, renewed.notified()).await;
    }
}

/// An endpoint that is checked, as long as it is there.
struct Checked {
    upstream: Weak<Upstream>,
    position: usize,
    endpoint: Weak<Endpoint>,
}

impl Checked {
    /// The endpoint, if it is still one of its group's. Connections may outlive that.
    fn picked(&self) -> Option<Picked> {
        let (upstream, endpoint) = (self.upstream.upgrade()?, self.endpoint.upgrade()?);
        let members = upstream.groups.get(self.position)?.members.all();
        let is_there = members.iter().any(|member| member.id == endpoint.id);
        is_there.then_some(Picked { upstream, position: self.position, endpoint })
    }

    async fn again_and_again(self, metrics: Arc<Metrics>, mut first: Option<mpsc::Sender<Infallible>>) {
        let mut kept: Option<Kept> = None;
        let mut verdict = Verdict::default();
        while let Some(picked) = self.picked() {
            let Some(pause) = once(&picked, &mut kept, &mut verdict, &metrics).await else { return };
            first = None;
            drop(picked);
            tokio::time::sleep(pause).await;
        }
        drop(first);
    }
}

/// Asks once, and says how long to wait.
async fn once(
    picked: &Picked,
    kept: &mut Option<Kept>,
    verdict: &mut Verdict,
    metrics: &Metrics,
) -> Option<Duration> {
    let upstream = &picked.upstream;
    let (rules, checks) = (upstream.config.health.as_ref()?, upstream.checks.as_ref()?);
    let Health { check, sni, interval, timeout, unhealthy, healthy } = rules;
    let permit = checks.permits.acquire().await.ok()?;
    let answer = tokio::time::timeout(*timeout, ask(picked, check, sni, kept)).await;
    drop(permit);
    let passed = match answer {
        Ok(passed) => passed,
        Err(_) => {
            // Whoever does not answer may do so later, to the wrong question.
            *kept = None;
            false
        }
    };
    let result = if passed { "passed" } else { "failed" };
    metrics.health_checks.add(&[&upstream.name, picked.group_name(), result], 1);
    picked.endpoint.is_found(verdict.take(passed, *unhealthy, *healthy));
    let tenth = u64::try_from(interval.as_nanos() / 10).unwrap_or(u64::MAX);
    Some(*interval + Duration::from_nanos(random::number().checked_rem(tenth).unwrap_or(0)))
}
