//! Lexer, parser, syntax tree and canonical printer of the mesh language.
//!
//! Invariants: knows no kind and no attribute; never fails and never panics, whatever the bytes; touches no file.

pub mod ast;
