//! Modules written in the mesh language, embedded as text.
