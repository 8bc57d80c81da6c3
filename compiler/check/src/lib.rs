//! Whole-mesh checks: they read everything and produce only diagnostics.
