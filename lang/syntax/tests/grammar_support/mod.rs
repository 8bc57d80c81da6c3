//! Grammars as data: reads EBNF, proves it LL(2), recognises and derives sentences.

pub(crate) mod ebnf;
pub(crate) mod ll2;
pub(crate) mod sentence;
