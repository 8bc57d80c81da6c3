//! Changes of headers, whose values may say something of the request.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use meshd_config::{HeaderChanges, HeaderPart, RequestProperty};

/// Changes of headers, with the names and values as the HTTP library has them.
#[derive(Debug)]
pub(crate) struct Changes {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, Text)>,
    add: Vec<(HeaderName, Text)>,
}

/// The value of a header.
#[derive(Debug)]
enum Text {
    /// Always the same.
    Fixed(HeaderValue),
    /// Another one for each request.
    Made(Vec<HeaderPart>),
}

/// What is known of a request, for the values of headers.
#[derive(Debug)]
pub(crate) struct Known {
    /// The method.
    pub(crate) method: String,
    /// The path without its query.
    pub(crate) path: String,
    /// The path with its query.
    pub(crate) path_and_query: String,
    /// The host.
    pub(crate) host: String,
    /// What `x-forwarded-proto` says.
    pub(crate) scheme: Vec<u8>,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    pub(crate) protocol: &'static str,
    /// What `x-request-id` says.
    pub(crate) id: Vec<u8>,
    /// The client's address.
    pub(crate) client_address: String,
    /// The URIs in its certificate.
    pub(crate) client_uris: String,
}

impl Known {
    fn of(&self, property: RequestProperty) -> &[u8] {
        let Known { method, path, path_and_query, host, scheme, protocol, id, client_address, client_uris } =
            self;
        match property {
            RequestProperty::Method => method.as_bytes(),
            RequestProperty::Path => path.as_bytes(),
            RequestProperty::PathAndQuery => path_and_query.as_bytes(),
            RequestProperty::Host => host.as_bytes(),
            RequestProperty::Scheme => scheme,
            RequestProperty::Protocol => protocol.as_bytes(),
            RequestProperty::Id => id,
            RequestProperty::ClientAddress => client_address.as_bytes(),
            RequestProperty::ClientUris => client_uris.as_bytes(),
        }
    }
}

impl Text {
    /// The value for a request. What is not known is left out; whoever makes changes that ask for it knows it.
    fn value(&self, known: Option<&Known>) -> Option<HeaderValue> {
        match self {
            Text::Fixed(value) => Some(value.clone()),
            Text::Made(parts) => {
                let mut whole = Vec::new();
                for part in parts {
                    match part {
                        HeaderPart::Text(text) => whole.extend_from_slice(text.as_bytes()),
                        HeaderPart::Property(property) => whole.extend_from_slice(known?.of(*property)),
                    }
                }
                HeaderValue::from_bytes(&whole).ok()
            }
        }
    }
}

impl Changes {
    /// The answer to what is no header is a sentence.
    pub(crate) fn new(changes: &HeaderChanges) -> Result<Self, String> {
        let HeaderChanges { remove, set, add } = changes;
        let remove = remove.iter().map(|name| self::name(name));
        Ok(Changes { remove: remove.collect::<Result<_, _>>()?, set: lines(set)?, add: lines(add)? })
    }

    /// Whether a value says something of the request.
    pub(crate) fn ask(&self) -> bool {
        let Changes { remove: _, set, add } = self;
        set.iter().chain(add).any(|(_, text)| matches!(text, Text::Made(_)))
    }

    /// Makes the changes.
    pub(crate) fn make(&self, headers: &mut HeaderMap, known: Option<&Known>) {
        let Changes { remove, set, add } = self;
        for name in remove {
            headers.remove(name);
        }
        for (name, text) in set {
            if let Some(value) = text.value(known) {
                headers.insert(name.clone(), value);
            }
        }
        for (name, text) in add {
            if let Some(value) = text.value(known) {
                headers.append(name.clone(), value);
            }
        }
    }
}

fn lines(lines: &[(String, Vec<HeaderPart>)]) -> Result<Vec<(HeaderName, Text)>, String> {
    let lines = lines.iter().map(|(name, parts)| {
        let fixed = parts.iter().map(|part| match part {
            HeaderPart::Text(text) => Some(text.as_str()),
            HeaderPart::Property(_) => None,
        });
        let text = match fixed.collect::<Option<String>>() {
            Some(text) => {
                let value = HeaderValue::from_bytes(text.as_bytes());
                Text::Fixed(value.map_err(|_| format!("`{text}` is not the value of a header"))?)
            }
            None => Text::Made(parts.clone()),
        };
        Ok((self::name(name)?, text))
    });
    lines.collect()
}

fn name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not the name of a header"))
}
