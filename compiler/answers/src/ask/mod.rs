//! `meshc ask`: questions about calls, answered by what answers the calls of tests.

mod doors;
mod fate;
mod judge;
mod matrix;
mod names;
mod question;
mod radius;
mod reach;
mod reply;
mod settings;
mod whereto;

use std::cell::{OnceCell, RefCell};

use lang_diagnostics::{Diagnostic, FileId, Origin, Span};
use meshc_topology::{Failures, Survivors};
use meshc_vocabulary::testing::{CallFrom, CallTest, CallTo, Request};

pub use judge::{Decided, Judge};
pub use matrix::{Matrix, View, matrix};
pub use names::{callees, callers};
pub use question::{Detail, FORMS, Form, Lost, Name, Question, RequestWords, read};
pub use radius::{Radius, Stolen, radius, secrets};
pub use reply::{Fact, Line, Place, Reply};

use crate::callees::Callees;
use crate::expectation::Asking;
use crate::log::{Log, Step};
use crate::tests::add;
use crate::truth::Truth;
use crate::world::World;
use doors::Doors;
use names::Names;

/// Reads a question and answers it. The text is one of the sources, as the file.
///
/// # Errors
/// If it cannot be read, or has a name that leads nowhere.
pub fn ask(world: &World<'_>, file: FileId, text: &str) -> Result<Reply, Box<Diagnostic>> {
    let question = read(file, text)?;
    let names = Names { model: world.model };
    let mut failures = Failures::default();
    for lost in &question.without {
        add(world.model, names.fault(lost)?, &mut failures);
    }
    let callees = Callees::new(world);
    let steps = RefCell::new(Vec::new());
    let log = match question.detail {
        Detail::Answer | Detail::Why => Log::NONE,
        Detail::Trace => Log::new(&steps),
    };
    let survivors = Survivors { model: world.model, topology: world.topology, failures: &failures };
    let asking = Asking { world, callees: &callees, survivors, log };
    let asked = Asked::new(asking, Span::new(file, 0, text.len()));
    let (verdict, lines) = match &question.form {
        Form::Can { from, to, request } => {
            asked.can(&asked.call(names.caller(from)?, names.callee(to)?, request.as_ref()))
        }
        Form::Who { to, request } => asked.who(&names.callee(to)?, request.as_ref()),
        Form::What { from } => asked.what(names.caller(from)?),
        Form::Where { request, at } => {
            let at = match at {
                Some(at) => Some(names.gateway(at)?),
                None => None,
            };
            asked.whereto(request, at)
        }
    };
    let steps: Vec<Step> = steps.into_inner();
    Ok(Reply { verdict, lines, steps })
}

/// What questions are asked with.
pub(crate) struct Asked<'w, 'm> {
    pub(crate) asking: Asking<'w, 'm>,
    /// The place of the question.
    pub(crate) whole: Span,
    /// Whom callees let in, which is found out once.
    doors: OnceCell<Doors>,
}

impl<'w, 'm> Asked<'w, 'm> {
    pub(crate) const fn new(asking: Asking<'w, 'm>, whole: Span) -> Self {
        Self { asking, whole, doors: OnceCell::new() }
    }

    /// A call as a test would have it, of which nothing is expected.
    fn call(&self, from: CallFrom, to: CallTo, request: Option<&RequestWords>) -> CallTest {
        let request = request.map(|words| Request {
            method: words.method.clone(),
            path: words.path.clone(),
            host: words.host.clone(),
            headers: words.headers.clone(),
        });
        let origin = Origin::new(self.whole, "the question");
        CallTest { origin, from, to, request, expected: Vec::new() }
    }
}

/// What several answers of which each may be the one come to.
pub(crate) fn agreed(all: impl IntoIterator<Item = Truth>) -> Truth {
    let mut all = all.into_iter();
    let Some(first) = all.next() else { return Truth::No };
    if all.all(|other| other == first) { first } else { Truth::Depends }
}
