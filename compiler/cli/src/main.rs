//! The `meshc` binary.

fn main() {}
