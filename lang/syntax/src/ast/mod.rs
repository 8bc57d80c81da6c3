//! The syntax tree. It mirrors the text: nothing is resolved, every node has its span. What could not be parsed
//! has been reported; the tree then holds [`ValueKind::Invalid`] in its place, or nothing at all.

mod form;

use lang_diagnostics::{Span, Spanned};

pub use form::{
    Apply, Argument, Assert, For, Form, FormKind, Let, Parameter, Selected, Source, Template, Type, TypeKind,
    Use,
};

/// A whole file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// `language N` before everything else, if written and a version that the parser knows.
    pub language: Option<Spanned<u32>>,
    /// The items in source order.
    pub items: Vec<Item>,
    /// Everything that is a comment (`//`, not `///`), in source order, for the printer.
    pub comments: Vec<Comment>,
    /// Whether anything in it stands for something else: a form, a variable's use, a condition, `defaults`. Otherwise the
    /// tree is what it means, and expansion has nothing to do.
    pub expands: bool,
    /// The whole file.
    pub span: Span,
}

/// A `//` comment without its slashes.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// The text after `//`, without white space at its end.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// Whether nothing but white space stands before it on its line.
    pub own_line: bool,
}

/// One entry of a file or of a block's body.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `kind label { … }`
    Block(Block),
    /// `name = value`
    Attribute(Attribute),
    /// `use`, `let`, `template` and the like.
    Form(Box<Form>),
}

/// `kind label { … }` or `kind { … }`; the braces may be empty but must be there. Or `kind label = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The kind's word.
    pub kind: Spanned<String>,
    /// The label, bare or quoted; `None` when the block has none.
    pub label: Option<Spanned<String>>,
    /// The label's value if it has interpolations; its text in `label` is then empty until it is expanded.
    pub interpolated: Option<Box<Value>>,
    /// The items between the braces.
    pub body: Vec<Item>,
    /// Whether it is written `kind label = value`. Its only item is then an attribute with an empty name and that value: it
    /// is the kind's principal one, which expansion names.
    pub short: bool,
    /// `///` lines right before, joined with newlines; without their slashes, one space after them, and white
    /// space at their ends.
    pub documentation: Option<Box<Spanned<String>>>,
    /// From the kind to the closing brace, or to the end of the value.
    pub span: Span,
}

/// `name = value`, or `...value`: an attribute with an empty name whose value is a [`ValueKind::Spread`]. Only the item of
/// a block that is [`Block::short`] has an empty name otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The attribute's name.
    pub name: Spanned<String>,
    /// Its value.
    pub value: Value,
    /// `///` lines right before.
    pub documentation: Option<Box<Spanned<String>>>,
    /// From the name to the end of the value.
    pub span: Span,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueKind {
    /// `true` or `false`
    Boolean(bool),
    /// `"…"` with interpolations, or `"""…"""` (one literal part).
    String(Vec<StringPart>),
    /// A token that begins with a digit (or an IPv6 address), classified.
    Literal(Literal),
    /// `a`, `a.b`, `a."odd name".c`: never empty.
    Path(Path),
    /// `[a, b]`
    List(Vec<Value>),
    /// `{ a = 1, b = 2 }` in value position. Only attributes.
    Record(Vec<Attribute>),
    /// `word { … }` in value position, such as `issuer = files { … }`.
    Tagged(Box<Spanned<String>>, Vec<Attribute>),
    /// `A in B`
    In(Box<Value>, Box<Value>),
    /// `A -> B`; either side may be an `In`.
    Arrow(Box<Value>, Box<Value>),
    /// `(value)`
    Group(Box<Value>),
    /// `if condition then one else other`
    If(Box<Conditional>),
    /// `a and b`, `a or b`: at least two.
    Logic(Connective, Vec<Value>),
    /// `not a`
    Not(Box<Value>),
    /// `a == b`
    Compare(Comparison, Box<(Value, Value)>),
    /// `...list` in a list, `...record` in a record or a block.
    Spread(Box<Value>),
    /// Something that could not be parsed. It has been reported: later stages take it for any value and stay
    /// silent, so that one mistake costs one error.
    Invalid,
}

/// `if condition then one else other`
#[derive(Clone, Debug, PartialEq)]
pub struct Conditional {
    /// What decides.
    pub condition: Value,
    /// The value if it is true.
    pub then: Value,
    /// The value if it is false.
    pub otherwise: Value,
}

/// What joins conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connective {
    /// `and`
    And,
    /// `or`
    Or,
}

impl Connective {
    /// How it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Equal, Self::NotEqual, Self::Less, Self::AtMost, Self::Greater, Self::AtLeast];

    /// How it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// One part of a string.
#[derive(Clone, Debug, PartialEq)]
pub enum StringPart {
    /// Text after escapes were resolved.
    Text(String),
    /// `${ value }`
    Interpolation(Value),
}

/// A dotted path of names.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The names; never empty.
    pub segments: Vec<Spanned<String>>,
}

/// A classified literal.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `10`
    Integer(u64),
    /// `0.5`, kept in units of 10⁻⁹.
    Decimal(Decimal),
    /// `20s`, `90d`, `1y`, in milliseconds.
    Duration(DurationLiteral),
    /// `10/min`
    Rate(Rate),
    /// `64KiB`, in bytes.
    Size(u64),
    /// `50%`, `0.1%`, kept in units of 10⁻⁹ percent.
    Percentage(Decimal),
    /// `172.18.255.200`, `fd00::1`
    Ip(std::net::IpAddr),
    /// `10.10.0.0/16`
    Cidr(std::net::IpAddr, u8),
    /// `10.0.0.1:80`
    SocketAddress(std::net::SocketAddr),
    /// `8000-8080`
    PortRange(u16, u16),
    /// `5xx`: the first digit.
    StatusClass(u8),
}

/// A number with up to nine decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal {
    /// The number times 10⁹.
    pub nanos: u64,
}

/// A duration as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurationLiteral {
    /// Milliseconds.
    pub milliseconds: u64,
}

/// So many per unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// Per what.
    pub unit: RateUnit,
}

/// The units of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateUnit {
    /// `/s`
    Second,
    /// `/min`
    Minute,
    /// `/h`
    Hour,
    /// `/d`
    Day,
    /// `/w`
    Week,
    /// `/mo`: 30 days.
    Month,
    /// `/y`: 365 days.
    Year,
}

impl RateUnit {
    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        const DAY: u64 = 24 * 60 * 60;
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 60 * 60,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
            Self::Year => 365 * DAY,
        }
    }
}
