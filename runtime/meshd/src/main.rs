//! The `meshd` binary.

fn main() {}
