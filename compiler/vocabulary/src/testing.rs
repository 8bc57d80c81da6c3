//! What the `test` blocks of a mesh expect. No part of the [`Model`](crate::Model): no other stage reads it, so that no
//! test changes what is built.

use std::sync::Arc;
use std::time::Duration;

use lang_diagnostics::{Origin, Spanned};
use lang_evaluate::Declarations;
use lang_syntax::ast::{self, Rate};

use crate::model::policy::Bound;
use crate::model::{Callee, Cluster, Gateway, Id, Network, Service};

/// The tests of a mesh, and what their assertions look things up in.
#[derive(Debug)]
pub struct Tests {
    /// The tests, in the order of the files and of their text.
    pub tests: Vec<Test>,
    /// Everything that is declared.
    pub declarations: Arc<Declarations>,
    /// The table of defaults.
    pub defaults: Arc<Declarations>,
}

/// One `test` block.
#[derive(Clone, Debug)]
pub struct Test {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name, unique in the mesh.
    pub name: String,
    /// What has failed while it is asked.
    pub fail: Vec<Spanned<Fault>>,
    /// What is expected of calls.
    pub calls: Vec<CallTest>,
    /// What is expected of values.
    pub assertions: Vec<Assertion>,
}

/// Something that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A service or a subset, in one cluster or wherever it runs.
    Service(Id<Service>, Option<Id<Cluster>>),
    /// A cluster with everything in it.
    Cluster(Id<Cluster>),
    /// A gateway.
    Gateway(Id<Gateway>),
    /// A network with every cluster in it.
    Network(Id<Network>),
    /// The way between two networks, in both directions.
    Link(Id<Network>, Id<Network>),
}

/// What is expected of a call.
#[derive(Clone, Debug)]
pub struct CallTest {
    /// The call, and how it is written.
    pub origin: Origin,
    /// Who calls.
    pub from: CallFrom,
    /// What is called.
    pub to: CallTo,
    /// The request, if one is given; otherwise what is expected is expected of all of them.
    pub request: Option<Request>,
    /// What is expected, in source order; never empty.
    pub expected: Vec<Spanned<Expected>>,
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallFrom {
    /// A service or client, in one cluster or wherever it runs.
    Service(Id<Service>, Option<Id<Cluster>>),
    /// A gateway: one of its ports, by position, or any of them.
    Gateway(Id<Gateway>, Option<usize>),
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTo {
    /// The service, subset or host outside.
    pub callee: Callee,
    /// The name of the port, if one is given.
    pub port: Option<String>,
    /// The cluster that has to answer, if one is given.
    pub cluster: Option<Id<Cluster>>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// In upper case.
    pub method: String,
    /// With its query.
    pub path: String,
    /// The host, in lower case; without one it is that of the callee, or a host of a route that leads there.
    pub host: Option<String>,
    /// The headers, names in lower case, in source order.
    pub headers: Vec<(String, String)>,
}

/// What is expected of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is sent, and the callee admits it.
    Allowed,
    /// It is not: the callee refuses it.
    Refused,
    /// Pods in this cluster answer; without a cluster, some do.
    Reaches(Option<Id<Cluster>>),
    /// Pods of these answer, and no others do, in these clusters if they are given.
    Answered(Vec<Spanned<Place>>),
    /// At least one limit counts it.
    Limited,
    /// The tightest limit that counts it; `None`: none does.
    Limit(Option<Rate>),
    /// How long it may take.
    Timeout(Bound),
    /// It may take no longer than this.
    Within(Duration),
    /// A proxy answers it by itself, with this status.
    Status(u16),
}

/// Pods that answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Those of a service or subset, or else of the callee.
    pub service: Option<Id<Service>>,
    /// In a cluster, or in any.
    pub cluster: Option<Id<Cluster>>,
}

/// A condition that has to be true.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// The block.
    pub origin: Origin,
    /// The condition, with every variable filled in.
    pub condition: ast::Value,
    /// What is said if it is not true.
    pub message: Option<String>,
}
