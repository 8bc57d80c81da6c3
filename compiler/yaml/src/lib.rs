//! An ordered value and a YAML emitter that every reader understands alike.
