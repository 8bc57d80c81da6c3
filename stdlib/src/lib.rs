//! Modules written in the mesh language, embedded as text.
//!
//! A leaf: this crate contains text and knows neither the language nor what reads it.

/// `defaults.mesh`: what holds where no policy says otherwise, as one policy at the top level.
pub const DEFAULTS: &str = include_str!("../defaults.mesh");
