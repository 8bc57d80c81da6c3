//! What a mesh does with a call, and what its values are.
//!
//! Who sends what to whom, who refuses it, what counts it and how long it may take is read in the plan that the backends
//! render: the caller's listeners and routes, the callee's chains. Who answers when something fails is the topology's
//! simulation over the groups of which the plan's upstreams are made. Which policy applies is the resolution's answer.
//! So nothing here weighs rules a second time.
//!
//! A question that names no request is about all of them, so that a rule about requests may leave an answer open
//! ([`Truth::Depends`]): that is never taken for a yes or a no.
//!
//! Invariants: pure, and total: every question has an answer; reads no tree of the source but the conditions of
//! assertions; what is found out has the places that decide it.

mod admission;
pub mod ask;
mod callees;
mod check;
pub mod codes;
mod condition;
mod counted;
mod expectation;
mod found;
mod limits;
pub mod live;
mod log;
mod matching;
mod normal;
mod reached;
pub mod requests;
mod sending;
mod sent;
mod spelled;
mod tests;
mod truth;
mod unfit;
mod values;
mod wording;
mod world;

pub use admission::{Admission, Verdict, admits, counted_at, enters};
pub use callees::{Called, Callees};
pub use check::check;
pub use limits::{Counted, counts};
pub use log::Step;
pub use sending::{Destination, Handled, Way};
pub use sent::Sent;
pub use tests::{Finding, Report, run};
pub use truth::Truth;
pub use unfit::Unfit;
pub use world::World;
