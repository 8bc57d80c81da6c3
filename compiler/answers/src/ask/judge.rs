//! What becomes of one request, as plain data: what two meshes are compared by.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lang_diagnostics::{FileId, Origin, Span};
use meshc_topology::{Failures, ProxyKey, Survivors};
use meshc_vocabulary::testing::{CallFrom, CallTest, CallTo, Request};

use super::{Asked, Line, RequestWords, callees, callers};
use crate::callees::Callees;
use crate::expectation::Asking;
use crate::limits::Counted;
use crate::log::Log;
use crate::sending::{Destination, Handled, Sending, Way};
use crate::sent::Sent;
use crate::truth::Truth;
use crate::wording::milliseconds;
use crate::world::World;

/// Asks about single requests in a mesh of which nothing has failed.
#[derive(Debug)]
pub struct Judge<'w, 'm> {
    world: &'w World<'m>,
    callees: Callees,
    failures: Failures,
    names: OnceCell<Names>,
}

type Named = (CallTo, CallFrom);

#[derive(Debug)]
struct Names {
    callers: BTreeMap<String, CallFrom>,
    callees: BTreeMap<String, CallTo>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Whether it is admitted and answered.
    pub verdict: Truth,
    /// What becomes of it at each proxy that sends it.
    pub fates: Vec<String>,
    /// Where it is sent, with shares if it is drawn.
    pub shares: Vec<String>,
    /// How long it may take there.
    pub timeouts: Vec<String>,
    /// The limits that count it, on its way and at its end.
    pub limits: Vec<String>,
}

impl<'w, 'm> Judge<'w, 'm> {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(world: &'w World<'m>) -> Self {
        Self { world, callees: Callees::new(world), failures: Failures::default(), names: OnceCell::new() }
    }

    /// What becomes of a call between two names, as questions have them; `None` if one leads nowhere.
    #[must_use]
    pub fn call(&self, from: &str, to: &str, request: Option<&Request>) -> Option<Decided> {
        let (to, from) = self.named(from, to)?;
        let origin = Origin::new(Span::new(FileId(0), 0, 0), "a request");
        let call = CallTest { origin, from, to, request: request.cloned(), expected: Vec::new() };
        Some(self.asked(|asked| {
            let (verdict, lines) = asked.can(&call);
            let sent = asked.asking.sent(&call);
            let senders = asked.asking.senders(&call, &sent);
            let ways = senders.iter().flat_map(|sender| &sender.ways);
            self.decided(asked, &call, verdict, lines, ways)
        }))
    }

    /// What becomes of a request at a port of an ingress gateway, such as `west.ingress.http`; `None` if there is none.
    #[must_use]
    pub fn arrives(&self, at: &str, request: &Request) -> Option<Decided> {
        let from = *self.names().callers.get(at)?;
        let CallFrom::Gateway(gateway, port) = from else { return None };
        let key = ProxyKey::Gateway(gateway);
        let proxy = self.world.proxy(key)?;
        let Request { method, path, host, headers } = request.clone();
        let words = RequestWords { method, path, host, headers };
        Some(self.asked(|asked| {
            let (verdict, lines) = asked.whereto(&words, Some(from));
            let sending = Sending { world: self.world, callees: &self.callees, log: Log::NONE };
            let listener = asked.asking.listener(gateway, port);
            let ways = sending.of_gateway(proxy, listener.as_deref(), &Sent::new(request));
            let origin = Origin::new(Span::new(FileId(0), 0, 0), "a request");
            let mut decided = Decided {
                verdict,
                fates: texts(&lines),
                shares: Vec::new(),
                timeouts: Vec::new(),
                limits: Vec::new(),
            };
            for way in &ways {
                let Handled::Forwarded { to, timeout: _ } = &way.handled else { continue };
                let Some(first) = to.first() else { continue };
                let to = CallTo { callee: first.callee, port: None, cluster: None };
                let origin = origin.clone();
                let call = CallTest { origin, from, to, request: None, expected: Vec::new() };
                let own = self.decided(asked, &call, verdict, Vec::new(), [way]);
                decided.shares.extend(own.shares);
                decided.timeouts.extend(own.timeouts);
                decided.limits.extend(own.limits);
            }
            decided
        }))
    }

    fn decided<'s>(
        &self,
        asked: &Asked<'_, 'm>,
        call: &CallTest,
        verdict: Truth,
        lines: Vec<Line>,
        ways: impl IntoIterator<Item = &'s Way<'m>>,
    ) -> Decided
    where
        'm: 's,
    {
        let (mut shares, mut timeouts, mut limits) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for way in ways {
            match &way.handled {
                Handled::Forwarded { to, timeout } => {
                    shares.insert(self.shares(to));
                    timeouts.insert(bound(*timeout));
                }
                Handled::Answered(_) => {}
            }
            for counted in asked.asking.counted(call, way) {
                limits.extend(counted.iter().filter(|one| one.truth == Truth::Yes).map(Counted::text));
            }
        }
        let (shares, timeouts) = (shares.into_iter().collect(), timeouts.into_iter().collect());
        Decided { verdict, fates: texts(&lines), shares, timeouts, limits: limits.into_iter().collect() }
    }

    /// Destinations and how many of all requests each gets, in order of name.
    fn shares(&self, to: &[Destination]) -> String {
        let whole: u32 = to.iter().map(|one| one.weight).sum();
        let mut shares: Vec<String> = Vec::new();
        for Destination { callee, port: _, only, weight } in to {
            let model = self.world.model;
            let place = only.map(|id| format!(" in {}", model.clusters.at(id).name)).unwrap_or_default();
            let name = format!("`{}`{place}", model.callee_name(*callee));
            let percent = f64::from(*weight) * 100.0 / f64::from(whole.max(1));
            shares.push(if to.len() == 1 { name } else { format!("{percent:.4} % to {name}") });
        }
        shares.sort();
        shares.join(", ")
    }

    fn asked<T>(&self, ask: impl FnOnce(&Asked<'_, 'm>) -> T) -> T {
        let Self { world, callees, failures, names: _ } = self;
        let survivors = Survivors { model: world.model, topology: world.topology, failures };
        let asking = Asking { world, callees, survivors, log: Log::NONE };
        ask(&Asked::new(asking, Span::new(FileId(0), 0, 0)))
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            let called = callees(self.world.model).into_iter();
            let to = |(callee, port)| CallTo { callee, port, cluster: None };
            Names {
                callers: callers(self.world.model).into_iter().collect(),
                callees: called.map(|(name, called)| (name, to(called))).collect(),
            }
        })
    }

    fn named(&self, from: &str, to: &str) -> Option<Named> {
        let names = self.names();
        Some((names.callees.get(to)?.clone(), *names.callers.get(from)?))
    }
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| format!("{}: {}", line.who, line.text)).collect()
}

fn bound(timeout: Option<Duration>) -> String {
    timeout.map_or_else(|| String::from("no timeout"), milliseconds)
}
