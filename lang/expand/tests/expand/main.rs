//! What expansion makes of whole meshes: golden folders, and properties that hold for any mesh.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests read files, and fail by panicking"
)]

mod golden;
mod properties;
mod support;
