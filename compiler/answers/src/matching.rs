//! Whether a request meets a condition.

use meshc_vocabulary::model::{
    HeaderMatch, HttpMatch, NotMatch, PathMatch, QueryMatch, QueryValue, StringMatch, contains_host,
};

use crate::log::Log;
use crate::normal::without_port;
use crate::sent::{Sent, whole};
use crate::truth::Truth;
use crate::wording;

/// Whether a request meets all conditions of a match.
pub(crate) fn matches(conditions: &HttpMatch, sent: &Sent) -> Truth {
    matches_told(conditions, sent, Log::NONE)
}

/// The same, with each condition written down.
pub(crate) fn matches_told(conditions: &HttpMatch, sent: &Sent, log: Log<'_>) -> Truth {
    let HttpMatch { path, methods, headers, queries, not } = conditions;
    let on_path = self::path(path, sent);
    let on_path = match path {
        PathMatch::Any => on_path,
        PathMatch::Exact(_) | PathMatch::Prefix(_) | PathMatch::StartsWith(_) | PathMatch::Regex(_) => {
            log.told(on_path, || format!("{} (it is {})", wording::path(path), wording::given(&sent.path)))
        }
    };
    let method = if methods.is_empty() {
        Truth::Yes
    } else {
        log.told(is_method(methods, sent), || {
            format!("method {} (it is {})", methods.join(" or "), wording::given(&sent.method))
        })
    };
    let headers = Truth::all(headers.iter().map(|one| {
        log.told(header(one, sent), || {
            format!("{} (it is {})", wording::header(one), wording::headers(sent, &one.name))
        })
    }));
    let queries = Truth::all(queries.iter().map(|one| {
        log.told(query(one, sent), || {
            format!("{} (the query is {})", wording::query(one), wording::given(&sent.query))
        })
    }));
    let not = Truth::all(not.iter().map(|one| match one {
        NotMatch::Path(path) => log.told(!self::path(path, sent), || {
            format!("not {} (it is {})", wording::path(path), wording::given(&sent.path))
        }),
        NotMatch::Methods(methods) => log.told(!is_method(methods, sent), || {
            format!("method not {} (it is {})", methods.join(" or "), wording::given(&sent.method))
        }),
    }));
    Truth::all([on_path, method, headers, queries, not])
}

/// Whether a request meets one of these matches; an empty list is any request.
pub(crate) fn any_of(list: &[HttpMatch], sent: &Sent, log: Log<'_>) -> Truth {
    if list.is_empty() {
        return Truth::Yes;
    }
    Truth::any(list.iter().map(|one| matches_told(one, sent, log)))
}

/// Whether a request is for one of these hosts.
pub(crate) fn host(patterns: &[String], sent: &Sent) -> Truth {
    if patterns.iter().any(|pattern| pattern == "*") {
        return Truth::Yes;
    }
    match &sent.host {
        Some(host) => {
            let name = without_port(host);
            patterns.iter().any(|pattern| contains_host(pattern, name)).into()
        }
        None => Truth::Depends,
    }
}

fn is_method(methods: &[String], sent: &Sent) -> Truth {
    sent.method.as_ref().map_or(Truth::Depends, |method| methods.contains(method).into())
}

fn path(condition: &PathMatch, sent: &Sent) -> Truth {
    let is = |test: &dyn Fn(&str) -> Truth| sent.path.as_deref().map_or(Truth::Depends, test);
    match condition {
        PathMatch::Any => Truth::Yes,
        PathMatch::Exact(exact) => is(&|path| (path == exact).into()),
        PathMatch::Prefix(prefix) if prefix == "/" => Truth::Yes,
        PathMatch::Prefix(prefix) => is(&|path| {
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')).into()
        }),
        PathMatch::StartsWith(begin) if begin == "/" => Truth::Yes,
        PathMatch::StartsWith(begin) => is(&|path| path.starts_with(begin.as_str()).into()),
        PathMatch::Regex(expression) => is(&|path| regex(expression, path)),
    }
}

fn header(condition: &HeaderMatch, sent: &Sent) -> Truth {
    // Proxies read the host where they have it, which no header of the question is.
    if condition.name == "host" {
        let meets = match (&condition.value, &sent.host) {
            (StringMatch::Present, _) => Truth::Yes,
            (other, Some(host)) => text(other, host),
            (_, None) => Truth::Depends,
        };
        return if condition.negated { !meets } else { meets };
    }
    let Some(headers) = &sent.headers else { return Truth::Depends };
    let lines = headers.iter().filter(|(name, _)| *name == condition.name);
    let meets = Truth::any(lines.map(|(_, value)| match (value, &condition.value) {
        (_, StringMatch::Present) => Truth::Yes,
        (Some(value), _) if condition.negated && value.is_empty() => Truth::No,
        (Some(value), other) => text(other, value),
        (None, _) => Truth::Depends,
    }));
    if condition.negated { !meets } else { meets }
}

fn query(condition: &QueryMatch, sent: &Sent) -> Truth {
    let Some(query) = &sent.query else { return Truth::Depends };
    let parameters = query.split('&').filter(|part| !part.is_empty());
    let parameters = parameters.map(|part| part.split_once('=').unwrap_or((part, "")));
    let own = parameters.filter(|(name, _)| *name == condition.name);
    let meets = Truth::any(own.map(|(_, value)| match &condition.value {
        QueryValue::Present => Truth::Yes,
        QueryValue::Exact(exact) => (value == exact).into(),
        QueryValue::Prefix(prefix) => value.starts_with(prefix.as_str()).into(),
        QueryValue::Regex { expression, is_met_by_nothing } => {
            if value.is_empty() {
                (*is_met_by_nothing).into()
            } else {
                regex(expression, value)
            }
        }
    }));
    if condition.negated { !meets } else { meets }
}

fn text(condition: &StringMatch, value: &str) -> Truth {
    match condition {
        StringMatch::Present => Truth::Yes,
        StringMatch::Exact(exact) => (value == exact).into(),
        StringMatch::Prefix(prefix) => value.starts_with(prefix.as_str()).into(),
        StringMatch::Regex(expression) => regex(expression, value),
    }
}

/// What the model accepts compiles; if something does not, the answer is left open.
fn regex(expression: &str, text: &str) -> Truth {
    whole(expression).map_or(Truth::Depends, |regex| regex.is_match(text).into())
}
