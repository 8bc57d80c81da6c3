//! What becomes of every declared call and route when something fails: who takes over, how soon at most, with how much of
//! what there was; or where it breaks, and what would mend that.
//!
//! Where requests go is read in the plan, who answers is the topology's simulation, and who is let in is what `meshc ask` says. What is added is
//! which losses there are, what a proxy notices of them, and how soon.
//!
//! Invariants: pure and total; a flow is asked about those losses only that touch what it depends on; a bound on time is put
//! together from declared numbers or is not given at all.

mod chains;
mod check;
mod circles;
pub mod codes;
mod engine;
mod flow;
mod loss;
mod noticed;
mod proof;
mod touched;
mod words;

pub use chains::{Arrival, Hop, Overrun, arrivals, overruns};
pub use check::{check, has_claims};
pub use engine::Verdict;
pub use loss::{Kind, Loss, losses};
pub use noticed::Meanwhile;
pub use proof::{Asked, Case, Proof, Proved, prove};
