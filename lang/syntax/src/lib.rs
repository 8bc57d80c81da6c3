//! Lexer, parser, syntax tree, formatter and canonical printer of the mesh language.
//!
//! Invariants: knows no kind and no attribute; never fails and never panics, whatever the bytes; touches no file.

pub mod ast;
pub mod codes;
mod format;
mod lexer;
mod literal;
mod parser;
mod printer;
mod sound;
mod strings;
mod token;
mod units;

pub use format::format;
pub use lexer::lex;
pub use parser::{LANGUAGE_VERSION, parse};
pub use printer::print;
pub use sound::is_sound;
pub use token::{Token, TokenKind};
