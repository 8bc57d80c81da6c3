//! Changes of headers, checked: none is a proxy's own.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::matching::header_name;
use crate::rules::Context;
use crate::{Path, raw};

pub use raw::filter::{HeaderPart, RequestProperty};

/// Headers that only proxies change: those of one connection, those that say where a body ends, the date that every
/// answer has, and those by which proxies tell applications and each other something.
pub const PROXIES_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "date",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// The same for every name that begins so.
pub const PROXIES_HEADER_PREFIXES: [&str; 2] = ["x-envoy-", "x-forwarded-"];

/// But not these, which no proxy reads: below which path an application is published.
pub const APPLICATIONS_HEADERS: [&str; 1] = ["x-forwarded-prefix"];

/// Changes of headers. Names are in lower case, and none occurs twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderChanges {
    /// Headers that are removed, before others are written.
    pub remove: Vec<String>,
    /// Headers that have exactly this value afterwards.
    pub set: Vec<(String, Vec<HeaderPart>)>,
    /// Headers that get a further line with this value.
    pub add: Vec<(String, Vec<HeaderPart>)>,
}

impl HeaderChanges {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::filter::HeaderChanges, at: &Path) -> Option<Self> {
        let raw::filter::HeaderChanges { remove, set, add } = raw;
        let names = |lines: &[raw::filter::HeaderLine], field: &str| {
            let at = at.field(field);
            let names = lines.iter().enumerate();
            let places = names.map(|(i, line)| (line.name.to_ascii_lowercase(), at.index(i).field("name")));
            places.collect::<Vec<_>>()
        };
        let removed = remove.iter().enumerate();
        let removed = removed.map(|(i, name)| (name.to_ascii_lowercase(), at.field("remove").index(i)));
        let changed = removed.chain(names(set, "set")).chain(names(add, "add"));
        cx.unique("header", changed);
        let remove = cx.each(remove, &at.field("remove"), |cx, name, at| name_to_change(cx, name, at));
        let set = cx.each(set, &at.field("set"), line);
        let add = cx.each(add, &at.field("add"), line);
        Some(HeaderChanges { remove: remove?, set: set?, add: add? })
    }
}

fn line(cx: &mut Context<'_>, raw: &raw::filter::HeaderLine, at: &Path) -> Option<(String, Vec<HeaderPart>)> {
    let raw::filter::HeaderLine { name, value } = raw;
    let name = name_to_change(cx, name, &at.field("name"));
    let parts = match value {
        raw::filter::HeaderValue::Text(text) if text.is_empty() => Vec::new(),
        raw::filter::HeaderValue::Text(text) => vec![HeaderPart::Text(text.clone())],
        raw::filter::HeaderValue::Parts(parts) => parts.clone(),
    };
    // A letter stands for what is known only with a request.
    let sample = parts.iter().map(|part| match part {
        HeaderPart::Text(text) => text.as_str(),
        HeaderPart::Property(_) => "x",
    });
    let sample: String = sample.collect();
    let fits = !sample.chars().any(|c| c.is_control() && c != '\t') && sample.trim() == sample;
    if !fits {
        cx.wrong(
            &at.field("value"),
            "a header's value has no control characters, and no white space around it",
        );
        return None;
    }
    Some((name?, parts))
}

fn name_to_change(cx: &mut Context<'_>, name: &str, at: &Path) -> Option<String> {
    let name = header_name(cx, name, at)?;
    // Applications behind gateways of the CGI kind read an underscore as a dash.
    let dashed = name.replace('_', "-");
    let begins_so = PROXIES_HEADER_PREFIXES.iter().any(|prefix| dashed.starts_with(prefix));
    if PROXIES_HEADERS.contains(&dashed.as_str())
        || (begins_so && !APPLICATIONS_HEADERS.contains(&dashed.as_str()))
    {
        cx.wrong(at, format!("proxies own the header `{name}`"));
        return None;
    }
    Some(name)
}
