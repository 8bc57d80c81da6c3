//! The kinds and attributes of the language, and the typed model they evaluate to.
