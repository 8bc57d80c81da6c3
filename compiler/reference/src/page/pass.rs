//! One pass over the Markdown: headings, rows and words get anchors, each becomes an entry of the search, and sources get
//! their colours.

use std::collections::VecDeque;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::{escape, highlight};
use crate::anchor;

/// A heading.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) level: u8,
    pub(crate) id: String,
    pub(crate) title: String,
}

/// What an entry of the search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Section,
    Block,
    Attribute,
    Word,
    Template,
    Code,
}

impl What {
    /// How the list of results calls it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Section => "section",
            Self::Block => "block",
            Self::Attribute => "attribute",
            Self::Word => "word",
            Self::Template => "template",
            Self::Code => "code",
        }
    }
}

/// Something that is found.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) what: What,
    /// The section that it is in.
    pub(crate) place: String,
    pub(crate) text: String,
}

/// What the pass makes.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) sections: Vec<Section>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) body: String,
}

/// Runs it.
pub(crate) fn run(markdown: &str) -> Page {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let mut pass = Pass {
        events,
        out: Vec::new(),
        page: Page::default(),
        column: String::new(),
        words_of: None,
        depth: 0,
    };
    while let Some(event) = pass.events.pop_front() {
        pass.event(event);
    }
    let mut page = pass.page;
    html::push_html(&mut page.body, pass.out.into_iter());
    page
}

struct Pass<'m> {
    events: VecDeque<Event<'m>>,
    out: Vec<Event<'m>>,
    page: Page,
    /// The head of the first column of the table around.
    column: String,
    /// The attribute whose words the next list is about.
    words_of: Option<String>,
    /// How many lists are around.
    depth: usize,
}

impl<'m> Pass<'m> {
    fn event(&mut self, event: Event<'m>) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => self.heading(level),
            Event::Start(Tag::Paragraph) => self.paragraph(),
            Event::Start(Tag::CodeBlock(kind)) => self.source(&kind),
            Event::Start(Tag::Table(alignments)) => {
                self.html("<div class=\"table\">");
                self.out.push(Event::Start(Tag::Table(alignments)));
            }
            Event::End(TagEnd::Table) => {
                self.out.push(Event::End(TagEnd::Table));
                self.html("</div>\n");
            }
            Event::Start(Tag::TableHead) => {
                let inner = self.until(TagEnd::TableHead);
                self.column = cells(&inner).first().cloned().unwrap_or_default();
                self.out.push(Event::Start(Tag::TableHead));
                self.out.extend(inner);
                self.out.push(Event::End(TagEnd::TableHead));
            }
            Event::Start(Tag::TableRow) => self.row(),
            Event::Start(Tag::Item) => self.item(),
            Event::Start(Tag::List(_)) => {
                self.depth += 1;
                self.out.push(event);
            }
            Event::End(TagEnd::List(_)) => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.words_of = None;
                }
                self.out.push(event);
            }
            // Links to the documents beside the reference, which the page is not.
            Event::Start(Tag::Link { ref dest_url, .. })
                if !dest_url.starts_with('#') && !dest_url.contains("://") =>
            {
                let inner = self.until(TagEnd::Link);
                self.out.extend(inner);
            }
            // The first line, for those who edit the file.
            Event::Html(_) | Event::InlineHtml(_) => {}
            Event::Start(_)
            | Event::End(_)
            | Event::Text(_)
            | Event::Code(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::SoftBreak
            | Event::HardBreak
            | Event::Rule
            | Event::TaskListMarker(_) => self.out.push(event),
        }
    }

    fn html(&mut self, text: impl Into<String>) {
        self.out.push(Event::Html(text.into().into()));
    }

    /// The events up to an end, which is taken, too.
    fn until(&mut self, end: TagEnd) -> Vec<Event<'m>> {
        let length = self.events.iter().position(|event| *event == Event::End(end));
        let inner = self.events.drain(..length.unwrap_or(self.events.len())).collect();
        self.events.pop_front();
        inner
    }

    fn heading(&mut self, level: HeadingLevel) {
        let inner = self.until(TagEnd::Heading(level));
        let title = plain(&inner);
        let level = level as u8;
        if level == 1 {
            self.html("<h1>");
            self.out.extend(inner);
            self.html("</h1>\n");
            return;
        }
        let (id, what, title) = match inner.first() {
            Some(Event::Code(code)) if is_code(code) => {
                let title = title.strip_prefix(code.as_ref()).map(|rest| format!("{code} {}", rest.trim()));
                (code.to_string(), What::Code, title.unwrap_or_default())
            }
            Some(Event::Code(_)) if title.starts_with("std") => (anchor::of(&title), What::Template, title),
            Some(Event::Code(_)) => (anchor::of(&title), What::Block, title),
            _ => (anchor::of(&title), What::Section, title),
        };
        self.html(format!("<h{level} id=\"{id}\">"));
        self.out.extend(inner);
        self.html(format!(
            "<a class=\"anchor\" href=\"#{id}\" aria-label=\"link to this\">#</a></h{level}>\n"
        ));
        self.page.entries.push(Entry {
            id: id.clone(),
            title: title.clone(),
            what,
            place: String::new(),
            text: String::new(),
        });
        self.page.sections.push(Section { level, id, title });
    }

    fn paragraph(&mut self) {
        let inner = self.until(TagEnd::Paragraph);
        let text = plain(&inner);
        self.words_of = match inner.as_slice() {
            [Event::Text(before), Event::Code(name), ..] if before.starts_with("Words of ") => {
                Some(name.to_string())
            }
            _ => None,
        };
        if let Some(entry) = self.page.entries.last_mut()
            && entry.text.is_empty()
        {
            entry.text = short(&text);
        }
        // What is in it is looked at like everything else.
        self.out.push(Event::Start(Tag::Paragraph));
        self.events.push_front(Event::End(TagEnd::Paragraph));
        for event in inner.into_iter().rev() {
            self.events.push_front(event);
        }
    }

    fn row(&mut self) {
        let inner = self.until(TagEnd::TableRow);
        let cells = cells(&inner);
        let first = cells.first().cloned().unwrap_or_default();
        let what = match self.column.as_str() {
            "attribute" | "parameter" => Some(What::Attribute),
            _ => None,
        };
        match what {
            Some(what) => {
                let (section, place) = self.section();
                let id = format!("{section}.{first}");
                self.html(format!("<tr id=\"{id}\">"));
                let text = short(cells.last().map(String::as_str).unwrap_or_default());
                self.page.entries.push(Entry { id, title: first, what, place, text });
            }
            None => self.html("<tr>"),
        }
        self.out.extend(inner);
        self.html("</tr>\n");
    }

    fn item(&mut self) {
        let word = match (&self.words_of, self.events.front()) {
            (Some(attribute), Some(Event::Code(word))) if self.depth == 1 => {
                Some((attribute.clone(), word.to_string()))
            }
            _ => None,
        };
        let Some((attribute, word)) = word else {
            self.out.push(Event::Start(Tag::Item));
            return;
        };
        let (section, place) = self.section();
        let id = format!("{section}.{attribute}.{word}");
        let is_text =
            |event: &&Event<'_>| matches!(event, Event::Text(_) | Event::Code(_) | Event::SoftBreak);
        let after: Vec<Event<'_>> = self.events.iter().skip(1).take_while(is_text).cloned().collect();
        let text = short(plain(&after).trim_start_matches(": "));
        let place = format!("{place} › {attribute}");
        self.out.push(Event::Html(format!("<li id=\"{id}\">").into()));
        self.page.entries.push(Entry { id, title: word, what: What::Word, place, text });
    }

    fn section(&self) -> (String, String) {
        let last = self.page.sections.last();
        last.map(|section| (section.id.clone(), section.title.clone())).unwrap_or_default()
    }

    fn source(&mut self, kind: &CodeBlockKind<'_>) {
        let text = plain(&self.until(TagEnd::CodeBlock));
        let language = match kind {
            CodeBlockKind::Fenced(language) => language.as_ref(),
            CodeBlockKind::Indented => "",
        };
        let inner = if language == "mesh" { highlight::mesh(&text) } else { escape(&text) };
        self.html(format!("<pre><code>{inner}</code></pre>\n"));
    }
}

/// Whether a text is the code of a diagnostic.
fn is_code(text: &str) -> bool {
    let digits = text.strip_prefix(['E', 'W']).unwrap_or_default();
    digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text of some events.
fn plain(events: &[Event<'_>]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            Event::SoftBreak | Event::HardBreak => Some(" "),
            Event::Start(_)
            | Event::End(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::Rule
            | Event::TaskListMarker(_) => None,
        })
        .collect()
}

/// The texts of the cells of a row.
fn cells(events: &[Event<'_>]) -> Vec<String> {
    let ends = events.iter().filter(|event| **event == Event::End(TagEnd::TableCell)).count();
    events.split(|event| *event == Event::End(TagEnd::TableCell)).take(ends).map(plain).collect()
}

/// The beginning of a text, as long as a result shows it.
fn short(text: &str) -> String {
    const LONGEST: usize = 160;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => {
            let cut = text.get(..end).unwrap_or_default();
            let whole = cut.rsplit_once(' ').map_or(cut, |(whole, _)| whole);
            format!("{whole} …")
        }
    }
}
