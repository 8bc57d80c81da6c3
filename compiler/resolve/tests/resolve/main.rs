//! What holds where, from source text: scopes, calls, access, and what cannot hold.

#![cfg(test)]

mod access;
mod capture;
mod conduct;
mod examples;
mod misplaced;
mod routed;
mod scopes;
mod subsets;
mod support;
