//! The data plane as a library.
