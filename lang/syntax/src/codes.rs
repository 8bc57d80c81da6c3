//! Codes of mistakes in the text itself, and what `meshc explain` says about them.

use lang_diagnostics::Code;

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
/// A word that a later language version gives a meaning.
pub const LATER_VERSION: Code = Code("E0011");
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
/// An interpolated string where a constant one is needed.
pub const INTERPOLATED_NAME: Code = Code("E0018");
