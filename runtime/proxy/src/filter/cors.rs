//! Who may read answers: preflight requests are answered here, and answers say it.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::headers::told;
use crate::route::Seen;
use http::header::{self, HeaderName, HeaderValue};
use meshd_config::ValueMatch;
use meshd_config::fault::Cors as Config;

/// Headers that are added to an answer.
pub(crate) type Lines = Vec<(HeaderName, HeaderValue)>;

/// Who may read answers, with the headers as the HTTP library has them.
#[derive(Debug)]
pub(crate) struct Cors {
    allow_origins: Vec<ValueMatch>,
    /// What every answer to a preflight request says.
    preflight: Vec<(HeaderName, Says)>,
    /// What every answer says that may be read.
    readable: Lines,
}

/// What a line of an answer says.
#[derive(Debug)]
enum Says {
    /// Always the same.
    Text(HeaderValue),
    /// What was asked for with this header: browsers take `*` for a name in answers to requests with cookies.
    Asked(HeaderName),
}

/// What allows everything.
const ALL: &str = "*";

/// What a request of a page is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// For its answer, whoever gives it.
    pub(crate) answer: Lines,
    /// For an answer that is given here: the request is a preflight request.
    pub(crate) preflight: Option<Lines>,
}

impl Cors {
    /// The answer to what is no header is a sentence.
    pub(crate) fn new(cors: &Config) -> Result<Self, String> {
        let Config {
            allow_origins,
            allow_methods,
            allow_headers,
            expose_headers,
            max_age,
            allow_credentials,
        } = cors;
        let credentials = if *allow_credentials { "true" } else { "" };
        Ok(Cors {
            allow_origins: allow_origins.clone(),
            preflight: lines([
                (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials),
                (header::ACCESS_CONTROL_ALLOW_METHODS, allow_methods),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, allow_headers),
                (header::ACCESS_CONTROL_MAX_AGE, max_age),
            ])?
            .into_iter()
            .map(|(name, value)| {
                let says = says(&name, value);
                (name, says)
            })
            .collect(),
            readable: lines([
                (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials),
                (header::ACCESS_CONTROL_EXPOSE_HEADERS, expose_headers),
            ])?,
        })
    }

    /// What is said to a request, if it comes from a page.
    pub(crate) fn judge(&self, seen: &Seen<'_>) -> Option<Told> {
        let Cors { allow_origins, preflight, readable } = self;
        let origin = told(seen.headers, &header::ORIGIN);
        if origin.is_empty() {
            return None;
        }
        let is_allowed = allow_origins.iter().any(|allowed| allowed.matches(&origin));
        let mut answer = Lines::new();
        if is_allowed && let Ok(origin) = HeaderValue::from_bytes(&origin) {
            answer.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin));
            answer.extend(readable.iter().cloned());
        }
        let mut asked = seen.values("access-control-request-method");
        let is_preflight = seen.method == "OPTIONS" && asked.any(|method| !method.is_empty());
        Some(Told { answer, preflight: is_preflight.then(|| said(preflight, seen)) })
    }
}

/// What a line of an answer to a preflight request says.
fn says(name: &HeaderName, value: HeaderValue) -> Says {
    if value == ALL && *name == header::ACCESS_CONTROL_ALLOW_METHODS {
        Says::Asked(header::ACCESS_CONTROL_REQUEST_METHOD)
    } else if value == ALL && *name == header::ACCESS_CONTROL_ALLOW_HEADERS {
        Says::Asked(header::ACCESS_CONTROL_REQUEST_HEADERS)
    } else {
        Says::Text(value)
    }
}

/// The lines of the answer to this preflight request.
fn said(lines: &[(HeaderName, Says)], seen: &Seen<'_>) -> Lines {
    let line = |(name, says): &(HeaderName, Says)| {
        let value = match says {
            Says::Text(value) => value.clone(),
            Says::Asked(with) => HeaderValue::from_bytes(&told(seen.headers, with)).ok()?,
        };
        Some((name.clone(), value))
    };
    lines.iter().filter_map(line).collect()
}

/// Those that say something.
fn lines<const N: usize>(lines: [(HeaderName, &str); N]) -> Result<Lines, String> {
    let lines = lines.into_iter().filter(|(_, value)| !value.is_empty());
    let lines = lines.map(|(name, value)| {
        let bytes = HeaderValue::from_bytes(value.as_bytes());
        Ok((name, bytes.map_err(|_| format!("`{value}` is not the value of a header"))?))
    });
    lines.collect()
}
