//! What is instead of what is expected, and the places that say so.

use lang_diagnostics::Span;

use crate::admission::{Admission, Verdict};
use crate::sending::Way;

/// What is not as expected: what is, and the places that say so.
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) places: Vec<(Span, String)>,
    pub(crate) help: Option<String>,
}

impl Found {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), places: Vec::new(), help: None }
    }

    pub(crate) fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.places.push((span, text.into()));
        self
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// That a proxy answers by itself.
pub(crate) fn by_itself(sender: &str, status: u16, way: &Way<'_>) -> Found {
    Found::new(format!("`{sender}` answers it with {status}")).at(way.by.span, "by this")
}

/// Why something is admitted, refused or left open.
pub(crate) fn because(who: &str, admission: &Admission<'_>) -> Found {
    let text = match admission.verdict {
        Verdict::Admitted => format!("{who} admits it"),
        Verdict::Refused => format!("{who} refuses it"),
        Verdict::Depends => format!("whether {who} admits it depends on the request"),
    };
    let found = match admission.rule {
        Some((_, origin)) => Found::new(text).at(origin.span, admission.why.clone()),
        None => Found::new(format!("{text}: {}", admission.why)),
    };
    match admission.verdict {
        Verdict::Depends => found.help("name a request in a `call`"),
        Verdict::Admitted | Verdict::Refused => found,
    }
}
