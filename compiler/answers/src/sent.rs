//! A request on its way, as far as it is known.

use meshc_plan::filter::{Filter, HeaderChanges, HeaderPart, PathChange, Rewrite};
use meshc_vocabulary::testing::Request;
use regex::Regex;

use crate::normal;
use crate::unfit::Unfit;

/// A request. What is `None` is left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The method, in upper case.
    pub method: Option<String>,
    /// The path without its query, in the spelling that proxies give it.
    pub path: Option<String>,
    /// The query without its question mark; empty if there is none.
    pub query: Option<String>,
    /// The host, in lower case and without a final dot; a port may be behind it.
    pub host: Option<String>,
    /// All headers, names in lower case. A value of `None` is left open.
    pub headers: Option<Vec<(String, Option<String>)>>,
    /// Why every proxy refuses it, if one does.
    pub unfit: Option<Unfit>,
}

impl Sent {
    /// Any request at all.
    pub const ANY: Self =
        Self { method: None, path: None, query: None, host: None, headers: None, unfit: None };

    /// A request that is given.
    #[must_use]
    pub fn new(request: &Request) -> Self {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let headers = request.headers.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        let headers: Vec<_> = headers.collect();
        let sent = Self {
            method: Some(request.method.clone()),
            path: None,
            query: Some(query.to_owned()),
            host: request.host.as_deref().map(normal::host),
            unfit: Unfit::of_method(&request.method, Some(&headers)),
            headers: Some(headers),
        };
        sent.at(path.to_owned())
    }

    /// The same at another path, which the next proxy normalises.
    fn at(mut self, path: String) -> Self {
        match normal::path(&path) {
            Some(normal) => self.path = Some(normal),
            None => {
                self.path = Some(path);
                self.unfit = self.unfit.or(Some(Unfit::Path));
            }
        }
        self
    }

    /// What filters make of it before it is sent on.
    pub(crate) fn changed(mut self, filters: &[Filter]) -> Self {
        for filter in filters {
            match filter {
                Filter::RequestHeaders(changes) => self.change(changes),
                Filter::Rewrite(rewrite) => self = self.rewritten(rewrite),
                Filter::Authorize(_)
                | Filter::Audit(_)
                | Filter::LocalLimit(_)
                | Filter::GlobalLimit(_)
                | Filter::ResponseHeaders(_)
                | Filter::Cors(_)
                | Filter::Delay(_)
                | Filter::Abort(_)
                | Filter::Mirror(_) => {}
            }
        }
        self
    }

    fn change(&mut self, changes: &HeaderChanges) {
        let Some(headers) = &mut self.headers else { return };
        let text = |parts: &[HeaderPart]| {
            parts
                .iter()
                .map(|part| match part {
                    HeaderPart::Text(text) => Some(text.as_str()),
                    HeaderPart::Property(_) => None,
                })
                .collect::<Option<String>>()
        };
        for (name, value) in &changes.set {
            headers.retain(|(known, _)| known != name);
            headers.push((name.clone(), text(value)));
        }
        headers.extend(changes.add.iter().map(|(name, value)| (name.clone(), text(value))));
        headers.retain(|(name, _)| !changes.remove.contains(name));
    }

    fn rewritten(mut self, rewrite: &Rewrite) -> Self {
        if let Some(host) = &rewrite.host {
            self.host = Some(host.clone());
        }
        let (Some(change), Some(path)) = (&rewrite.path, &self.path) else { return self };
        let changed = match change {
            PathChange::Full(path) => Some(path.clone()),
            PathChange::Prefix { from, to } => Some(match path.strip_prefix(from.as_str()) {
                Some(rest) if to.is_empty() && rest.is_empty() => String::from("/"),
                Some(rest) => format!("{to}{rest}"),
                None => path.clone(),
            }),
            PathChange::Regex { expression, substitution } => {
                whole(expression).map(|regex| match regex.captures(path) {
                    Some(groups) => substituted(substitution, &groups),
                    None => path.clone(),
                })
            }
        };
        match changed {
            Some(changed) => self.at(changed),
            None => Self { path: None, ..self },
        }
    }
}

/// An expression that matches a text as a whole.
pub(crate) fn whole(expression: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{expression})$")).ok()
}

/// A substitution, in which a backslash and a digit stand for a group.
fn substituted(substitution: &str, groups: &regex::Captures<'_>) -> String {
    let mut path = String::new();
    let mut characters = substitution.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            path.push(character);
            continue;
        }
        match characters.next() {
            Some(next) => match next.to_digit(10) {
                Some(digit) => {
                    let group = groups.get(usize::try_from(digit).unwrap_or(0));
                    path.push_str(group.map_or("", |group| group.as_str()));
                }
                None => path.push(next),
            },
            None => path.push(character),
        }
    }
    path
}
