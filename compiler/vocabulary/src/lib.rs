//! The kinds and attributes of the language, and the typed model they evaluate to.
//!
//! One schema (`schema`) feeds checking, completion, hover, the printer's order and the reference; `model` is what
//! the rest of the compiler works on: every name resolved, every default filled in, every node with its origin.
//!
//! Invariants: the model is valid on its own (each reference points at an entity of the right kind, each number is in
//! its range); whether the mesh makes sense as a whole is for `topology` and `check` to say. Knows no data plane.

pub mod model;
