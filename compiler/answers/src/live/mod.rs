//! What is sent to a running mesh to find out whether it does what its tests expect, and what its answers come to.
//!
//! Nothing is sent here: a [`Question`] has the requests and judges what was seen of them. Which requests show something is
//! read in the plan; what is right is what the test expects, and no answer of the plan.
//!
//! Invariant: what cannot be seen from outside, or only with too many requests or after too long a time, is left open with
//! a reason, and is never taken for a yes.

pub(crate) mod examples;
mod judge;
mod probes;
mod seen;
mod wish;

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Span};
use meshc_topology::{Failures, Survivors};
use meshc_vocabulary::Tests;
use meshc_vocabulary::model::Model;
use meshc_vocabulary::testing::{Fault, Test};

use crate::callees::Callees;
use crate::codes;
use crate::expectation::Asking;
use crate::log::Log;
use crate::tests::{Finding, add, asserted};
use crate::values::Lookup;
use crate::world::World;

pub use seen::{Observation, Seen};
pub use wish::Wish;

/// A test as it is asked of a running mesh.
#[derive(Clone, Debug)]
pub struct LiveTest {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// How many assertions it has; they are answered from the values.
    pub assertions: usize,
    /// The assertions that do not hold.
    pub findings: Vec<Finding>,
    /// What fails while it is asked: services as `namespace.service`, or `namespace.service.subset`, each with a cluster.
    pub fail: Vec<(String, String)>,
    /// What is expected of calls, in the order of the source.
    pub questions: Vec<Question>,
}

/// Something that is expected of a call.
#[derive(Clone, Debug)]
pub struct Question {
    /// Where it is expected.
    pub span: Span,
    /// The call as one would write it.
    pub call: String,
    /// What is expected, behind "is not".
    pub wanted: String,
    /// How it is asked.
    pub asked: Asked,
}

/// How something is asked.
#[derive(Clone, Debug)]
pub enum Asked {
    /// By these requests.
    By(Inquiry),
    /// Not at all, for this reason.
    Open(String),
    /// It needs no asking: this is not so.
    Unmet(String),
}

/// Requests, and what is wished of their answers.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// What is wished.
    pub wish: Wish,
    /// The requests; never empty.
    pub probes: Vec<Probe>,
}

/// What is sent, again and again until it is clear what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Who sends it: `shop.web in west`, `west.ingress`.
    pub from: String,
    /// Where it is sent.
    pub entry: Entry,
    /// What is sent.
    pub message: Message,
    /// How many of them it takes to meet everybody who may answer, as good as surely; `None`: too many.
    pub enough: Option<usize>,
}

/// Where something is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// To where the application reaches a callee.
    Sidecar {
        /// The caller's cluster.
        cluster: String,
        /// `namespace.service` of the caller, or `namespace.service.subset`.
        caller: String,
        /// `namespace.service` of the callee.
        callee: String,
        /// The callee's port.
        port: u16,
    },
    /// To a port of a gateway.
    Gateway {
        /// Its cluster.
        cluster: String,
        /// Its name.
        gateway: String,
        /// The port's name.
        port: String,
    },
    /// To the callee's sidecar, as another proxy, past what that proxy itself would do.
    Callee {
        /// The callee's proxy.
        proxy: String,
        /// Whose certificate is shown.
        identity: String,
        /// The server name of the port.
        server_name: String,
    },
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request {
        /// The method.
        method: String,
        /// The path with its query.
        path: String,
        /// The host; `None`: that of the callee.
        host: Option<String>,
        /// The headers.
        headers: Vec<(String, String)>,
        /// Whether it is a call of gRPC.
        grpc: bool,
    },
    /// A connection: whoever answers speaks first.
    Connection,
    /// A connection that begins TLS with this server name.
    Hello(String),
}

/// What a question came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It takes more answers.
    More,
    /// It is as expected.
    Met,
    /// It is not: what was seen.
    Unmet(String),
    /// It cannot be seen: why.
    Open(String),
}

impl Question {
    /// The finding for what was seen.
    #[must_use]
    pub fn finding(&self, seen: &str) -> Finding {
        let message = format!("{} is not {}", self.call, self.wanted);
        Diagnostic::error(codes::UNMET_CALL, self.span, message).label(format!("in the running mesh: {seen}"))
    }
}

/// How tests are asked of a running mesh, in the order of the source.
pub fn live(world: &World<'_>, tests: &Tests, is_wanted: &dyn Fn(&str) -> bool) -> Vec<LiveTest> {
    let (callees, lookup) = (Callees::new(world), Lookup::new(world, tests));
    let wanted = tests.tests.iter().filter(|test| is_wanted(&test.name));
    wanted.map(|test| one(world, &callees, &lookup, test)).collect()
}

fn one(world: &World<'_>, callees: &Callees, lookup: &Lookup<'_>, test: &Test) -> LiveTest {
    let Test { origin, name, fail, calls, assertions } = test;
    let mut failures = Failures::default();
    let mut gone = Vec::new();
    let mut impossible = None;
    for fault in fail {
        add(world.model, fault.value, &mut failures);
        match applications(world.model, fault.value) {
            Ok(more) => gone.extend(more),
            Err(why) => impossible = Some(why),
        }
    }
    let survivors = Survivors { model: world.model, topology: world.topology, failures: &failures };
    let asking = Asking { world, callees, survivors, log: Log::NONE };
    let mut questions: Vec<Question> = calls.iter().flat_map(|call| asking.questions(call)).collect();
    if let Some(why) = impossible {
        gone.clear();
        questions.iter_mut().for_each(|question| question.asked = Asked::Open(why.clone()));
    }
    LiveTest {
        name: name.clone(),
        span: origin.span,
        assertions: assertions.len(),
        findings: assertions.iter().filter_map(|assertion| asserted(lookup, assertion)).collect(),
        fail: gone,
        questions,
    }
}

/// The applications that have failed, or why a mesh that runs cannot be made to fail so.
fn applications(model: &Model, fault: Fault) -> Result<Vec<(String, String)>, String> {
    let whole = |what: &str| {
        Err(format!("{what} cannot be made to fail in a running mesh, only applications can (`meshc fail`)"))
    };
    let cluster = |id| model.clusters.at(id).name.clone();
    match fault {
        Fault::Service(service, Some(place)) => Ok(vec![(model.service_name(service), cluster(place))]),
        Fault::Service(service, None) => {
            let presences = model.services.at(service).clusters.iter();
            Ok(presences.map(|it| (model.service_name(service), cluster(it.cluster))).collect())
        }
        Fault::Cluster(_) => whole("a whole cluster"),
        Fault::Gateway(_) => whole("a gateway"),
        Fault::Network(_) => whole("a whole network"),
        Fault::Link(..) => whole("the way between networks"),
    }
}

/// A duration for people.
pub(crate) fn words(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{}ms", time.as_millis())
    } else {
        format!("{}.{}s", time.as_secs(), time.subsec_millis() / 100)
    }
}
