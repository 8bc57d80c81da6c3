//! Tests of the topology over meshes built by hand.

#![cfg(test)]

mod failures;
mod properties;
mod shapes;
mod support;
