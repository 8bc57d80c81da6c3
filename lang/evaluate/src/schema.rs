//! What a language consists of, as plain data: kinds of blocks, their attributes, and the types of these.
//!
//! Everything is `'static`, so that a vocabulary is a set of constants that one can search for, and a checked block
//! can point at the entry that it was checked against.

use std::fmt;

pub use crate::relations::{Part, Relation, Rule};

/// A whole vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// What may stand at the top level of a file, as the blocks of a kind without word and label.
    pub file: &'static Kind,
}

/// A kind of block.
#[derive(Debug)]
pub struct Kind {
    /// The word that begins it.
    pub word: &'static str,
    /// What it is, for the reference; sentences.
    pub documentation: &'static str,
    /// What stands between the word and the brace.
    pub label: Label,
    /// `Some` if a label makes an entity that other places can name. Kinds with the same text here share one space of
    /// names: two of them in one scope cannot have the same label.
    pub space: Option<&'static str>,
    /// Whether the same entity may be opened in several places.
    pub reopen: bool,
    /// The attribute that one means without naming it: `word = value` and `word label = value` are short for a block with
    /// this attribute alone. It takes no record in braces, since `word { … }` is the block.
    pub principal: Option<Name>,
    /// Its attributes, in the order in which a person would write them.
    pub attributes: &'static [Attribute],
    /// The blocks in it, in the order in which a person would write them.
    pub blocks: &'static [Nested],
    /// What must hold between these.
    pub relations: &'static [Relation],
}

impl Kind {
    /// The attribute of that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The attribute that is meant where a block is written by its value.
    #[must_use]
    pub fn principal_attribute(&self) -> Option<&'static Attribute> {
        self.attribute(self.principal?.text())
    }

    /// The nested kind of that word.
    #[must_use]
    pub fn block(&self, word: &str) -> Option<&'static Nested> {
        self.blocks.iter().find(|nested| nested.kind.word == word)
    }
}

/// What stands between a block's word and its brace.
#[derive(Debug)]
pub enum Label {
    /// Nothing.
    None,
    /// A name of this form.
    Required(&'static Pattern),
    /// A name of this form, or nothing.
    Optional(&'static Pattern),
    /// One of these words.
    Symbol(&'static [Symbol]),
    /// The name of an entity of one of these kinds, in the scope of the block.
    Reference(&'static Reference),
}

/// A kind that may stand in another one.
#[derive(Debug)]
pub struct Nested {
    /// The kind.
    pub kind: &'static Kind,
    /// How often.
    pub count: Count,
}

/// How often a nested block may or must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Exactly once.
    One,
    /// Once or not at all.
    Optional,
    /// Once or not at all; if absent, it is there with the defaults of its attributes.
    Defaulted,
    /// At least once.
    Some,
    /// Any number of times.
    Many,
}

/// The name of an attribute. A vocabulary makes each once, as a constant, and uses it both for the entry in the schema and
/// for reading the value ([`Block::get`](crate::Block::get)), so that neither can be renamed without the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(&'static str);

impl Name {
    /// The name that is written so.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// How it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// An attribute.
#[derive(Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub ty: Type,
    /// Whether it must be written, and what holds otherwise.
    pub presence: Presence,
    /// What it says, for the reference; sentences.
    pub documentation: &'static str,
}

impl Attribute {
    /// One that must be written.
    #[must_use]
    pub const fn required(name: Name, ty: Type, documentation: &'static str) -> Self {
        Self { name: name.text(), ty, presence: Presence::Required, documentation }
    }

    /// One that need not be written and then says nothing.
    #[must_use]
    pub const fn optional(name: Name, ty: Type, documentation: &'static str) -> Self {
        Self { name: name.text(), ty, presence: Presence::Optional, documentation }
    }

    /// One with a constant default.
    #[must_use]
    pub const fn defaulted(name: Name, ty: Type, default: Constant, documentation: &'static str) -> Self {
        Self { name: name.text(), ty, presence: Presence::Default(default), documentation }
    }

    /// One whose default depends on something else; `default` says on what.
    #[must_use]
    pub const fn derived(name: Name, ty: Type, default: &'static str, documentation: &'static str) -> Self {
        Self { name: name.text(), ty, presence: Presence::Derived(default), documentation }
    }

    /// One whose default is written in the standard library.
    #[must_use]
    pub const fn inherited(name: Name, ty: Type, documentation: &'static str) -> Self {
        Self { name: name.text(), ty, presence: Presence::Inherited, documentation }
    }
}

/// Whether an attribute must be written, and what holds otherwise.
#[derive(Debug)]
pub enum Presence {
    /// It must be written.
    Required,
    /// It says nothing if absent.
    Optional,
    /// This value holds if absent.
    Default(Constant),
    /// The default depends on something else, described here.
    Derived(&'static str),
    /// The default is written in the standard library.
    Inherited,
}

/// A constant default.
#[derive(Clone, Copy, Debug)]
pub enum Constant {
    /// `true` or `false`
    Boolean(bool),
    /// A whole number.
    Integer(u64),
    /// A duration in milliseconds.
    Milliseconds(u64),
    /// A string.
    Text(&'static str),
    /// A symbol.
    Symbol(&'static str),
    /// A list of symbols.
    Symbols(&'static [&'static str]),
}

/// The block that `assert condition else message` stands for, wherever a kind accepts it.
pub mod assertion {
    use super::Name;

    /// Its kind.
    pub const KIND: &str = "assert";
    /// What has to be true, of type [`Condition`](super::Type::Condition).
    pub const CONDITION: Name = Name::new("that");
    /// What is said if it is not.
    pub const MESSAGE: Name = Name::new("message");
    /// How the first name of a path in a condition ends that says of which kind the thing is that the others lead to, where
    /// a loop over a kind makes it. No name that a person writes without quotes ends so.
    pub const OF_KIND: char = ':';
}

/// What an attribute takes.
#[derive(Debug)]
pub enum Type {
    /// `true` or `false`
    Boolean,
    /// A whole number in a range, both ends included.
    Integer(u64, u64),
    /// A number with up to nine decimals.
    Decimal,
    /// A duration longer than nothing, such as `20s`.
    Duration,
    /// A rate, such as `10/min`.
    Rate,
    /// A number of bytes, such as `64KiB`.
    Size,
    /// A percentage up to 100, such as `0.5%`.
    Percentage,
    /// A percentage up to 100 without decimals, such as `20%`.
    WholePercentage,
    /// An IP address.
    Ip,
    /// An IPv4 address.
    Ipv4,
    /// An IP address, or a string of the given form.
    Host(&'static Pattern),
    /// An address range, such as `10.10.0.0/16`.
    Cidr,
    /// An address with a port, such as `10.0.0.1:80`.
    SocketAddress,
    /// A class of statuses, such as `5xx`.
    StatusClass,
    /// A string of the given form.
    Text(&'static Pattern),
    /// The same with `${…}` of what is known only later.
    Template(&'static Template),
    /// One of these words.
    Symbol(&'static [Symbol]),
    /// The name of an entity.
    Reference(&'static Reference),
    /// A list with at least `min` and at most `max` entries.
    List {
        /// What the entries are.
        of: &'static Type,
        /// The fewest entries.
        min: usize,
        /// The most entries.
        max: usize,
    },
    /// A record with fixed names.
    Record(&'static [Attribute]),
    /// A record with free names of one form, all with values of one type.
    Map {
        /// The form of the names.
        key: &'static Pattern,
        /// The type of the values.
        of: &'static Type,
    },
    /// One of these words, each with its own record.
    Tagged(&'static [Tag]),
    /// Any of these, tried in order; they differ in form, so that at most one fits.
    Union(&'static [Type]),
    /// `A -> B`, where each is an entity of the first reference or one of them at a place: `A in C`.
    Call(&'static Reference, &'static Reference),
    /// `A in C`: an entity of the first reference at one of the second.
    Instance(&'static Reference, &'static Reference),
    /// A condition about the resolved mesh, which evaluation passes on as it is written.
    Condition,
}

impl Type {
    /// A whole number that is a port.
    pub const PORT: Self = Self::Integer(1, 65535);

    /// A list with at least one entry.
    #[must_use]
    pub const fn some(of: &'static Self) -> Self {
        Self::List { of, min: 1, max: usize::MAX }
    }

    /// The type, or those that it is any of.
    #[must_use]
    pub fn alternatives(&self) -> Vec<&Self> {
        if let Self::Union(types) = self {
            types.iter().flat_map(Self::alternatives).collect()
        } else {
            vec![self]
        }
    }

    /// The type, with the alternatives and the entries of lists that it consists of, each after what it is a part of.
    #[must_use]
    pub fn parts(&self) -> Vec<&Self> {
        let mut found = vec![self];
        if let Self::Union(types) = self {
            found.extend(types.iter().flat_map(Self::parts));
        } else if let Self::List { of, .. } = self {
            found.extend(of.parts());
        }
        found
    }

    /// Whether it takes a word with a record behind it.
    #[must_use]
    pub fn is_tagged(&self) -> bool {
        self.alternatives().iter().any(|ty| matches!(ty, Self::Tagged(_)))
    }

    /// Whether it takes a record without a word before it.
    #[must_use]
    pub fn is_record(&self) -> bool {
        self.alternatives().iter().any(|ty| matches!(ty, Self::Record(_) | Self::Map { .. }))
    }

    /// Whether it takes a number, with or without a unit.
    #[must_use]
    pub fn is_quantity(&self) -> bool {
        let quantity = |ty: &&Self| {
            matches!(
                ty,
                Self::Integer(..)
                    | Self::Decimal
                    | Self::Duration
                    | Self::Rate
                    | Self::Size
                    | Self::Percentage
                    | Self::WholePercentage
            )
        };
        self.alternatives().iter().any(quantity)
    }

    /// What the names refer to that it takes, or that the entries of its lists are; the first, if there are several.
    #[must_use]
    pub fn reference(&self) -> Option<&'static Reference> {
        self.parts()
            .into_iter()
            .find_map(|ty| if let Self::Reference(reference) = ty { Some(*reference) } else { None })
    }

    /// A list that may be empty.
    #[must_use]
    pub const fn list(of: &'static Self) -> Self {
        Self::List { of, min: 0, max: usize::MAX }
    }
}

/// A word with a meaning in one attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The word.
    pub word: &'static str,
    /// What it means; a sentence without its final period.
    pub documentation: &'static str,
    /// Other words that a person may try for it, in lower case: not accepted, but understood.
    pub also: &'static [&'static str],
}

impl Symbol {
    /// A word with its meaning.
    #[must_use]
    pub const fn new(word: &'static str, documentation: &'static str) -> Self {
        Self { word, documentation, also: &[] }
    }
}

/// A word with a record behind it, such as `files { directory = "…" }`.
#[derive(Debug)]
pub struct Tag {
    /// The word.
    pub word: &'static str,
    /// What it means; a sentence without its final period.
    pub documentation: &'static str,
    /// What its record may contain. If none of them is required, the word may stand alone.
    pub attributes: &'static [Attribute],
}

/// What a string must look like.
#[derive(Debug)]
pub struct Pattern {
    /// What it is called, with an article: `a DNS label`.
    pub name: &'static str,
    /// What is wrong with a string, or `None` if nothing is.
    pub check: fn(&str) -> Option<String>,
}

/// A string in which `${…}` may also stand for something that is known only later.
#[derive(Debug)]
pub struct Template {
    /// What the rest of the string must look like.
    pub pattern: &'static Pattern,
    /// The word before the point: `request` in `${request.path}`.
    pub root: &'static str,
    /// What may stand behind the point.
    pub properties: &'static [Symbol],
}

/// Any string.
pub static ANY_TEXT: Pattern = Pattern { name: "a string", check: |_| None };

/// What a name may refer to.
#[derive(Debug)]
pub struct Reference {
    /// The words of the kinds that fit.
    pub kinds: &'static [&'static str],
    /// The word of a kind of block inside these that may be named too, as a further segment: `catalog.http`.
    pub part: Option<&'static str>,
    /// Those of the kinds that have the parts of the block around them: `reviews.v2.http` is the part `http` of `reviews`,
    /// for `v2`.
    pub inner: &'static [&'static str],
    /// Kinds that somebody may try, and why they do not fit; advice for the diagnostic.
    pub refused: &'static [(&'static str, &'static str)],
}

impl Reference {
    /// One of these kinds, without parts.
    #[must_use]
    pub const fn to(kinds: &'static [&'static str]) -> Self {
        Self { kinds, part: None, inner: &[], refused: &[] }
    }
}
