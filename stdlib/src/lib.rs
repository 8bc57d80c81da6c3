//! Modules written in the mesh language, embedded as text.
//!
//! A leaf: this crate contains text and knows neither the language nor what reads it.

/// `defaults.mesh`: what holds where no policy says otherwise, as one policy at the top level.
pub const DEFAULTS: &str = include_str!("../defaults.mesh");

/// The modules that a mesh may use, by name: `clusters` is `std.clusters`.
pub const MODULES: &[(&str, &str)] = &[
    ("access", include_str!("../access.mesh")),
    ("clusters", include_str!("../clusters.mesh")),
    ("presets", include_str!("../presets.mesh")),
    ("rate_limit", include_str!("../rate_limit.mesh")),
    ("resilience", include_str!("../resilience.mesh")),
    ("rules", include_str!("../rules.mesh")),
];
