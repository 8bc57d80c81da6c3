//! Codes of mistakes in the text itself, and what `meshc explain` says about them.

use lang_diagnostics::{Code, CodeInfo};

/// A character that begins no token.
pub const UNEXPECTED_CHARACTER: Code = Code("E0001");
/// A string without its closing quotes.
pub const UNCLOSED_STRING: Code = Code("E0002");
/// A backslash before something that is no escape.
pub const UNKNOWN_ESCAPE: Code = Code("E0003");
/// A token that begins with a digit and is no literal.
pub const MALFORMED_LITERAL: Code = Code("E0004");
/// A token where another one is needed.
pub const UNEXPECTED_TOKEN: Code = Code("E0005");
/// Two items or elements with nothing between them.
pub const MISSING_SEPARATOR: Code = Code("E0006");
/// A bracket that is never closed.
pub const UNCLOSED_BRACKET: Code = Code("E0007");
/// A closing bracket that closes nothing.
pub const STRAY_BRACKET: Code = Code("E0008");
/// Brackets nested too deeply.
pub const TOO_DEEP: Code = Code("E0009");
/// A name that is followed neither by `=` nor by `{`.
pub const INCOMPLETE_ITEM: Code = Code("E0010");
/// A `language` line that is wrong or in the wrong place.
pub const LANGUAGE_LINE: Code = Code("E0012");
/// Documentation with nothing after it to document.
pub const STRAY_DOCUMENTATION: Code = Code("E0013");
/// A block inside a record.
pub const BLOCK_IN_RECORD: Code = Code("E0014");
/// `=` with nothing behind it.
pub const MISSING_VALUE: Code = Code("E0015");
/// More than one `->` or `in` where only one fits.
pub const CHAINED_OPERATOR: Code = Code("E0016");
/// A name that has to be quoted.
pub const UNQUOTED_NAME: Code = Code("E0017");
/// A conflict that git left in the text.
pub const CONFLICT: Code = Code("E0030");

/// Every code of this crate. The code blocks of the explanations are examples of correct text, unless they say
/// otherwise, and a test parses them.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: UNEXPECTED_CHARACTER,
        title: "a character that has no meaning here",
        explanation: r#"
Outside of strings and comments the language uses letters, digits, `_`, and the symbols
`= , . - > { } [ ] " $ / % :`. Anything else is often a habit from another language:

    # a comment              write  // a comment
    'text'                   write  "text"
    name: value              write  name = value
    a = 1;                   write  a = 1  and a newline
"#,
    },
    CodeInfo {
        code: UNCLOSED_STRING,
        title: "a string is not closed",
        explanation: r#"
A string in `"` ends on the line it begins on, so that a forgotten quote costs one line and not the rest of the file.
That holds for the interpolations inside it, too. Text of several lines stands between `"""`; its common
indentation is taken away, and it never interpolates:

```mesh
greeting = "hello ${name}"
notice = """
  Two lines,
  not indented.
  """
```
"#,
    },
    CodeInfo {
        code: UNKNOWN_ESCAPE,
        title: "a backslash without an escape",
        explanation: r#"
In a string in `"`, a backslash begins one of these escapes: `\n`, `\r`, `\t`, `\"`, `\\`, `\$` and `\u{…}` with up to
six hexadecimal digits. A backslash that is meant literally, as in a regular expression, is written twice, or the text
stands between `"""`, where nothing is escaped:

```mesh
once = "^/items/\\d+$"
raw = """^/items/\d+$"""
```
"#,
    },
    CodeInfo {
        code: MALFORMED_LITERAL,
        title: "a literal of no known form",
        explanation: r#"
What begins with a digit is a number with its unit, an address or a range, written without spaces:

```mesh
integer = 10_000
decimal = 0.5
duration = 90d        // ms s m h d y; a year is 365 days
rate = 10/min         // /s /min /h /d /w /mo /y
size = 64KiB          // B kB MB GB TB KiB MiB GiB TiB
percentage = 99.9%
address = 172.18.255.200
network = fd00::/8
endpoint = 10.0.0.1:80
ports = 8000-8080
statuses = 5xx
```

Numbers have no leading zeros and no sign. Anything else that begins with a digit is text, and text is quoted.
"#,
    },
    CodeInfo {
        code: UNEXPECTED_TOKEN,
        title: "something else is needed here",
        explanation: r#"
The text is well formed up to this place, but what stands here cannot follow. The message says what could. A body
consists of attributes and blocks; a value is a literal, a string, a path, a list in `[ ]` or a record in `{ }`:

```mesh
service web {
  clusters = [west, east]
  port http { number = 80 }
}
```
"#,
    },
    CodeInfo {
        code: MISSING_SEPARATOR,
        title: "two things without a separator",
        explanation: r#"
Items end with their line; several on one line are separated by commas. The elements of a list are always separated by
commas, also when each has a line of its own:

```mesh
port http { number = 80, target = 8080 }
calls = [
  catalog,
  orders,
]
```
"#,
    },
    CodeInfo {
        code: UNCLOSED_BRACKET,
        title: "a bracket is never closed",
        explanation: r#"
A `{` or `[` lacks its closing bracket. Reading stops at the next line that can only begin an item, or at the end of the
file, so the bracket that is really missing may stand further up than the place where reading stopped:

```mesh
service web {
  clusters = [west]
}
```
"#,
    },
    CodeInfo {
        code: STRAY_BRACKET,
        title: "a closing bracket without an opening one",
        explanation: r#"
There is a `}`, `]` or `)` too many, or the bracket that it should close is missing or of another kind. Brackets come
in pairs:

```mesh
calls = [catalog]
port http { number = 80 }
```
"#,
    },
    CodeInfo {
        code: TOO_DEEP,
        title: "brackets are nested too deeply",
        explanation: r#"
Brackets may be nested 64 deep, counting `{`, `[` and `${` together. No mesh comes near that; the limit keeps
hostile or damaged files from exhausting the memory of the compiler. What lies deeper is skipped. Text like the
following nests three deep:

```mesh
service web { in east { port http { number = 80 } } }
```
"#,
    },
    CodeInfo {
        code: INCOMPLETE_ITEM,
        title: "neither an attribute nor a block",
        explanation: r#"
An item is `name = value`, `kind { … }` or `kind label { … }`. The braces of a block are needed even when there is
nothing to say, and the opening one stands on the line of the kind:

```mesh
network west-net {}
```
"#,
    },
    CodeInfo {
        code: LANGUAGE_LINE,
        title: "a `language` line that cannot be followed",
        explanation: r#"
The first item of a file may say for which version of the language it was written. There is one version so far. Without
the line, the newest version is meant:

```mesh
language 1
```

A file for a newer version needs a newer compiler.
"#,
    },
    CodeInfo {
        code: STRAY_DOCUMENTATION,
        title: "documentation without a declaration",
        explanation: r#"
Lines that begin with `///` document the item that follows, and tools show them with it. At the end of a line, at the
end of a body, or inside a list there is no such item; a comment has two slashes:

```mesh
/// The shop's front end.
service web {
  clusters = [west]  // for now
}
```
"#,
    },
    CodeInfo {
        code: BLOCK_IN_RECORD,
        title: "a block inside a record",
        explanation: r#"
A record is a value, `{ name = value, … }` behind `=` or in a list, and holds attributes only. A record inside a record
is written with `=`:

```mesh
issuer = files { root = { certificate = "root.pem", key = "root.key" } }
```
"#,
    },
    CodeInfo {
        code: MISSING_VALUE,
        title: "a value is missing",
        explanation: r#"
Behind `=`, `->`, `in` and inside `${ }` there is a value. After `=` and `->` it may begin on the next line:

```mesh
calls =
  [catalog]
```
"#,
    },
    CodeInfo {
        code: CHAINED_OPERATOR,
        title: "more than one `->` or `in` in a value",
        explanation: r#"
`A -> B` is one call and `S in C` one instance, so a value has at most one `->`, and at most one `in` on each side of
it. Several calls are a list:

```mesh
reaches = [west.ingress -> shop.web in west, shop.web in west -> shop.catalog in east]
```
"#,
    },
    CodeInfo {
        code: UNQUOTED_NAME,
        title: "a name that has to be quoted",
        explanation: r#"
A bare name is an ASCII letter or `_`, then ASCII letters, digits, `_`, and `-` before a letter or digit. Any other name
is quoted where it is declared and where it is referred to:

```mesh
cluster "2nd" {}
service web { clusters = ["2nd", west] }
```
"#,
    },
    CodeInfo {
        code: CONFLICT,
        title: "git left a conflict in the file",
        explanation: r#"
Two branches changed the same lines, and git left both sides in the file, between lines that begin with `<<<<<<<`,
`=======` and `>>>>>>>`:

    <<<<<<< HEAD
      clusters = [west]
    =======
      clusters = [east]
    >>>>>>> move-to-east

Keep one side, or write what both are meant to say, and remove the lines with the marks. Until then the first side is
checked with everything else.
"#,
    },
];
