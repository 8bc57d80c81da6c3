//! `meshc query`: what something comes to, and where each part of it came from.
//!
//! What is declared is looked up in the plain trees that expansion made, whose places still say what made them; which
//! settings apply is what `resolve` says, which the backends use, too.
#![expect(clippy::wildcard_enum_match_arm, reason = "a question is a call or a path, and nothing else")]

mod call;
mod declared;
mod names;
mod settings;
mod text;

pub use names::{DeclaredName, declared_names};
pub(crate) use settings::Standard;

use std::sync::Arc;

use lang_diagnostics::{FileId, Sink, SourceMap, Span};
use lang_syntax::ast::{Item, Value, ValueKind};
use lang_syntax::{ast, parse};
use meshc_resolve::resolve;
use meshc_vocabulary::Model;

use crate::{Analysis, CheckedMesh, Compilation};

/// The kinds at which policies apply.
const CALLERS: [&str; 3] = ["service", "client", "subset"];

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it is: ``service `shop.web` ``, or a call.
    pub subject: String,
    /// Its parts, in the order of the source.
    pub parts: Vec<Part>,
}

/// One part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name: `clusters`, `port http.number`, `timeout.request`.
    pub name: String,
    /// Its value, as one would write it.
    pub value: String,
    /// Who said so: `declared`, `a default of …`, `template …`, `an override`, `policy …`, `the standard library`.
    pub from: String,
    /// Where: `file:line`; empty if nowhere.
    pub place: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// What is wrong with the question.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// Answers a question about a mesh without errors: a path such as `shop.web.clusters`, or a call such as
/// `shop.web -> shop.cart`.
///
/// # Errors
/// If the question cannot be read, or names nothing.
pub fn query(compilation: &Compilation, mesh: &CheckedMesh, question: &str) -> Result<Vec<Answer>, NoAnswer> {
    let value = read(question)?;
    let context = Context { sources: &compilation.sources, trees: &compilation.trees };
    match &value.kind {
        ValueKind::Arrow(from, to) => {
            let (from, to) = (path(from)?, path(to)?);
            call::answer(&context, &resolve(&mesh.model), &from, &to)
        }
        _ => {
            let names = path(&value)?;
            let mut answers = declared::answers(&context, &names);
            if answers.is_empty() {
                return Err(nothing(&context, &names));
            }
            add_settings(&context, &mesh.model, &names, &mut answers);
            Ok(answers)
        }
    }
}

/// What is declared under a name, as far as a mesh could be read: with the settings that apply, if it has a model.
#[must_use]
pub fn describe(analysis: &Analysis, names: &[String]) -> Vec<Answer> {
    let context = Context { sources: &analysis.sources, trees: &analysis.trees };
    let mut answers = declared::answers(&context, names);
    if let Some(model) = &analysis.model {
        add_settings(&context, model, names, &mut answers);
    }
    answers
}

/// Adds the settings that apply at a service.
fn add_settings(context: &Context<'_>, model: &Model, names: &[String], answers: &mut [Answer]) {
    let resolved = resolve(model);
    // A policy or route may have the name of a service.
    let is_caller =
        |answer: &&mut Answer| CALLERS.contains(&answer.subject.split(' ').next().unwrap_or_default());
    let service = settings::service(&resolved, names);
    if let (Some(answer), Some(service)) = (answers.iter_mut().find(is_caller), service) {
        answer.parts.extend(settings::parts(context, &resolved, service));
    }
}

/// A value on one line, as one would write it.
#[must_use]
pub fn written(value: &Value) -> String {
    text::value(value)
}

/// What answers are made of.
struct Context<'a> {
    sources: &'a SourceMap,
    trees: &'a [Arc<ast::File>],
}

impl Context<'_> {
    /// Where something stands, for people.
    fn place(&self, span: Span) -> String {
        self.sources.place(span)
    }

    /// What made the text at a place.
    fn made(&self, span: Span) -> String {
        let made: Vec<String> = self.sources.origins(span).map(|copied| copied.name.to_string()).collect();
        if made.is_empty() { String::from("declared") } else { made.join(", in ") }
    }
}

fn read(question: &str) -> Result<Value, NoAnswer> {
    let text = format!("question = {question}");
    let mut sink = Sink::default();
    let tree = parse(FileId(0), &text, &mut sink);
    match (tree.items.as_slice(), sink.has_errors()) {
        ([Item::Attribute(attribute)], false) => Ok(attribute.value.clone()),
        _ => Err(NoAnswer {
            message: format!("`{question}` is not a question about a mesh"),
            help: String::from(
                "name something that is declared, or a call: `shop.web`, `shop.web -> shop.cart`",
            ),
        }),
    }
}

/// The names of a path.
fn path(value: &Value) -> Result<Vec<String>, NoAnswer> {
    match &value.kind {
        ValueKind::Path(path) => Ok(path.segments.iter().map(|segment| segment.value.clone()).collect()),
        _ => Err(NoAnswer {
            message: String::from("only names of what is declared can be asked about"),
            help: String::from(
                "for example `shop.web`, `shop.web.clusters`, `mesh.trust_domain`, `west.ingress`",
            ),
        }),
    }
}

fn nothing(context: &Context<'_>, names: &[String]) -> NoAnswer {
    let (last, around) =
        names.split_last().map_or((String::new(), names), |(last, rest)| (last.clone(), rest));
    let candidates = declared::names(context, around);
    let near = lang_diagnostics::suggest(&last, candidates.iter().map(String::as_str));
    let help = match near {
        Some(near) => {
            let whole: Vec<&str> = around.iter().map(String::as_str).chain([near]).collect();
            format!("did you mean `{}`?", whole.join("."))
        }
        None if candidates.is_empty() => String::from("nothing in it has a name"),
        None => format!("there is {}", candidates.join(", ")),
    };
    NoAnswer { message: format!("there is no `{}`", names.join(".")), help }
}
