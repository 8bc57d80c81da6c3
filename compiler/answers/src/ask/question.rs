//! What can be asked, and how a question is read.

use lang_diagnostics::{Diagnostic, FileId, Span, Spanned};

use crate::codes;
use crate::normal::is_host;

/// A question, with the names as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// How much is to be told.
    pub detail: Detail,
    /// What is asked.
    pub form: Form,
    /// What has failed meanwhile.
    pub without: Vec<Lost>,
}

/// How much is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The answer.
    Answer,
    /// And what decides it.
    Why,
    /// And everything that was tried.
    Trace,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Whether one calls another.
    Can {
        /// Who calls.
        from: Name,
        /// What is called.
        to: Name,
        /// With which request; `None`: any.
        request: Option<RequestWords>,
    },
    /// Who calls something.
    Who {
        /// What is called.
        to: Name,
        /// With which request; `None`: any.
        request: Option<RequestWords>,
    },
    /// What somebody reaches, directly or through others.
    What {
        /// Who.
        from: Name,
    },
    /// What becomes of a request from outside.
    Where {
        /// The request, with its host.
        request: RequestWords,
        /// The gateway, or one of its ports; `None`: any.
        at: Option<Name>,
    },
}

/// A name, perhaps in one cluster only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// `shop.web`
    pub name: Spanned<String>,
    /// Behind `in`.
    pub cluster: Option<Spanned<String>>,
}

/// A request as it is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestWords {
    /// In upper case.
    pub method: String,
    /// With its query.
    pub path: String,
    /// In lower case.
    pub host: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

/// Something that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// A service, a cluster, a gateway or a network.
    Named(Name),
    /// The way between two networks.
    Link(Spanned<String>, Spanned<String>),
}

/// The forms, for whoever writes none of them.
pub const FORMS: &str = "\
can A call B [METHOD] [PATH] [with HEADER=VALUE ...]
who can call B [METHOD] [PATH] [with HEADER=VALUE ...]
what can A reach
where does [METHOD] HOST/PATH go [from GATEWAY] [with HEADER=VALUE ...]
each with `why` or `trace` before it, and `without WHAT, ...` behind it";

/// Reads a question.
///
/// # Errors
/// If it is none: what is wrong, in the text of the question.
pub fn read(file: FileId, text: &str) -> Result<Question, Box<Diagnostic>> {
    let words = words(file, text);
    let end = Span::new(file, text.trim_end().len(), text.trim_end().len());
    let mut reader = Reader { words: &words, at: 0, end };
    let detail = if reader.skips("why") {
        Detail::Why
    } else if reader.skips("trace") {
        Detail::Trace
    } else {
        Detail::Answer
    };
    let form = reader.form()?;
    if let (Detail::Trace, Form::Who { .. } | Form::What { .. }) = (detail, &form) {
        let span = words.first().map_or(end, |word| word.span);
        return Err(wrong(span, "`trace` is about one call or one request", "ask `why` instead"));
    }
    let without = reader.without()?;
    match reader.peek() {
        Some(word) => Err(reader.unexpected(word)),
        None => Ok(Question { detail, form, without }),
    }
}

/// Splits a text at white space; what is in quotes stays together, without the quotes.
fn words(file: FileId, text: &str) -> Vec<Spanned<String>> {
    let mut words: Vec<Spanned<String>> = Vec::new();
    let (mut word, mut start, mut quoted) = (String::new(), None, false);
    let mut push = |word: &mut String, start: &mut Option<usize>, end: usize| {
        if let Some(start) = start.take() {
            words.push(Spanned::new(std::mem::take(word), Span::new(file, start, end)));
        }
    };
    for (place, character) in text.char_indices() {
        match character {
            '"' => {
                quoted = !quoted;
                start.get_or_insert(place);
            }
            ',' if !quoted => {
                push(&mut word, &mut start, place);
                start = Some(place);
                word.push(',');
                push(&mut word, &mut start, place + 1);
            }
            white if white.is_whitespace() && !quoted => push(&mut word, &mut start, place),
            other => {
                start.get_or_insert(place);
                word.push(other);
            }
        }
    }
    push(&mut word, &mut start, text.len());
    words
}

fn wrong(span: Span, message: impl Into<String>, help: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(codes::NOT_A_QUESTION, span, message).label("here").help(help))
}

struct Reader<'w> {
    words: &'w [Spanned<String>],
    at: usize,
    end: Span,
}

impl<'w> Reader<'w> {
    fn peek(&self) -> Option<&'w Spanned<String>> {
        self.words.get(self.at)
    }

    fn next(&mut self) -> Option<&'w Spanned<String>> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    fn skips(&mut self, text: &str) -> bool {
        let is = self.peek().is_some_and(|word| word.value == text);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, text: &str) -> Result<(), Box<Diagnostic>> {
        if self.skips(text) {
            return Ok(());
        }
        let span = self.peek().map_or(self.end, |word| word.span);
        Err(wrong(span, format!("expected `{text}`"), format!("a question is one of:\n{FORMS}")))
    }

    fn unexpected(&self, word: &Spanned<String>) -> Box<Diagnostic> {
        let message = format!("`{}` is not expected here", word.value);
        wrong(word.span, message, format!("a question is one of:\n{FORMS}"))
    }

    fn form(&mut self) -> Result<Form, Box<Diagnostic>> {
        let Some(first) = self.next() else {
            return Err(wrong(self.end, "nothing is asked", format!("a question is one of:\n{FORMS}")));
        };
        match first.value.as_str() {
            "can" => {
                let from = self.name()?;
                self.expect("call")?;
                let to = self.name()?;
                Ok(Form::Can { from, to, request: self.request()? })
            }
            "who" => {
                self.expect("can")?;
                self.expect("call")?;
                let to = self.name()?;
                Ok(Form::Who { to, request: self.request()? })
            }
            "what" => {
                self.expect("can")?;
                let from = self.name()?;
                self.expect("reach")?;
                Ok(Form::What { from })
            }
            "where" => {
                self.expect("does")?;
                self.place()
            }
            _ => {
                let known = ["can", "who", "what", "where", "why", "trace"];
                let near = lang_diagnostics::suggest(&first.value, known);
                let help = near.map_or_else(
                    || format!("a question is one of:\n{FORMS}"),
                    |near| format!("did you mean `{near}`?"),
                );
                Err(wrong(first.span, format!("no question begins with `{}`", first.value), help))
            }
        }
    }

    fn place(&mut self) -> Result<Form, Box<Diagnostic>> {
        let method = self.method().unwrap_or_else(|| String::from("GET"));
        let Some(target) = self.next().filter(|word| word.value != "go") else {
            return Err(wrong(self.end, "a host is missing", "write `where does shop.example/cart go`"));
        };
        let plain = ["https://", "http://"].iter().find_map(|begin| target.value.strip_prefix(begin));
        let plain = plain.unwrap_or(&target.value);
        let (host, path) = plain.find(['/', '?']).map_or((plain, "/"), |end| plain.split_at(end));
        if host.is_empty() {
            return Err(wrong(target.span, "a host is missing", "write `where does shop.example/cart go`"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        self.expect("go")?;
        let at = if self.skips("from") { Some(self.name()?) } else { None };
        let host = Some(as_host(host, target.span)?);
        check(&path, target.span)?;
        let mut request = RequestWords { method, path, host, headers: Vec::new() };
        self.headers(&mut request)?;
        Ok(Form::Where { request, at })
    }

    /// A name, and `in CLUSTER` behind it.
    fn name(&mut self) -> Result<Name, Box<Diagnostic>> {
        let words = ["call", "reach", "with", "without", "in", ","];
        let Some(name) = self.peek().filter(|word| !words.contains(&word.value.as_str())) else {
            let span = self.peek().map_or(self.end, |word| word.span);
            return Err(wrong(span, "a name is missing", "for example `shop.web` or `west.ingress`"));
        };
        self.at += 1;
        let cluster = if self.skips("in") {
            let cluster = self.next().cloned();
            Some(cluster.ok_or_else(|| wrong(self.end, "a cluster is missing", "for example `in west`"))?)
        } else {
            None
        };
        Ok(Name { name: name.clone(), cluster })
    }

    fn method(&mut self) -> Option<String> {
        let is_method = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        let word = self.peek().filter(|word| !word.value.is_empty() && is_method(&word.value))?;
        self.at += 1;
        Some(word.value.clone())
    }

    /// What is not given is as in the `call` of a test; nothing at all is any request.
    fn request(&mut self) -> Result<Option<RequestWords>, Box<Diagnostic>> {
        let begin = self.at;
        let method = self.method().unwrap_or_else(|| String::from("GET"));
        let path = match self.peek() {
            Some(word) if word.value.starts_with('/') => {
                check(&word.value, word.span)?;
                self.at += 1;
                word.value.clone()
            }
            Some(_) | None => String::from("/"),
        };
        let mut request = RequestWords { method, path, host: None, headers: Vec::new() };
        self.headers(&mut request)?;
        Ok((self.at > begin).then_some(request))
    }

    fn headers(&mut self, request: &mut RequestWords) -> Result<(), Box<Diagnostic>> {
        if !self.skips("with") {
            return Ok(());
        }
        let mut any = false;
        while let Some(word) = self.peek() {
            if word.value == "," || word.value == "and" {
                self.at += 1;
                continue;
            }
            let Some((name, value)) = word.value.split_once('=') else { break };
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(wrong(
                    word.span,
                    format!("`{name}` is not the name of a header"),
                    "write `x-user=jason`",
                ));
            }
            match name.to_ascii_lowercase().as_str() {
                "host" => request.host = Some(as_host(value, word.span)?),
                other => request.headers.push((other.to_owned(), value.to_owned())),
            }
            (any, self.at) = (true, self.at + 1);
        }
        if any {
            return Ok(());
        }
        let span = self.peek().map_or(self.end, |word| word.span);
        Err(wrong(span, "a header is missing", "write `with x-user=jason`"))
    }

    fn without(&mut self) -> Result<Vec<Lost>, Box<Diagnostic>> {
        let mut lost = Vec::new();
        if !self.skips("without") {
            return Ok(lost);
        }
        loop {
            let name = self.name()?;
            lost.push(if self.skips("->") {
                Lost::Link(name.name, self.name()?.name)
            } else {
                Lost::Named(name)
            });
            if !self.skips(",") && !self.skips("and") {
                return Ok(lost);
            }
        }
    }
}

/// A host, in lower case.
fn as_host(host: &str, span: Span) -> Result<String, Box<Diagnostic>> {
    if is_host(host) {
        return Ok(host.to_ascii_lowercase());
    }
    let help = "a host is a name or an address, with a port or without";
    Err(wrong(span, format!("`{host}` is not a host"), help))
}

/// A path as one is sent.
fn check(path: &str, span: Span) -> Result<(), Box<Diagnostic>> {
    if path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Ok(());
    }
    let message = format!("`{path}` is not a path");
    Err(wrong(span, message, "a path has printable ASCII characters only, and no `#`"))
}
