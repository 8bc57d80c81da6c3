//! The pipeline from mesh text to output files, over an injected file system and clock.
//!
//! Invariants: nothing here reads a disk, the environment or a clock by itself; a stage runs only if no earlier one
//! reported an error; the same sources give the same bytes.

mod analysis;
mod asking;
mod build;
pub mod codes;
mod comparing;
mod consequences;
mod content;
mod fixes;
mod in_order;
mod levels;
mod limits;
mod memory;
mod mend;
mod modules;
pub mod output;
mod overlay;
mod pipeline;
mod places;
mod proving;
mod query;
mod system;
mod testing;
mod trust;

pub use analysis::{Analysis, analyze, analyze_again};
pub use asking::{Opened, Reason, Told, ToldLine, ToldStep, ask, matrix, names_to_ask, radius, secret_names};
pub use build::{Forms, build, build_into, render, trust_files};
pub use comparing::compare;
pub use fixes::works_in as fix_works;
pub use levels::{Level, LevelError, Levels};
pub use limits::rate_limit_files;
pub use memory::{FixedClock, MemoryFileSystem, Step};
pub use mend::{Mended, mend};
pub use meshc_answers::ask::{Matrix, Stolen, View};
pub use meshc_answers::{Report, Truth, live};
pub use meshc_changes as changes;
pub use meshc_envoy::releases as envoy_releases;
pub use meshc_proof::{Asked as AskedProof, Case, Kind as LossKind, Meanwhile, Verdict as Served};
pub use modules::Trees;
pub use overlay::Overlay;
pub use pipeline::{
    CheckedMesh, Compilation, ENTRY, Options, Request, Unread, check, check_request, check_with, findings,
    read as read_source,
};
pub use places::{Overlap, Relation, Role, Tracked};
pub use proving::{
    ToldArrival, ToldFlow, ToldHop, ToldOverrun, ToldProof, prove_chains, prove_failover, waiting,
};
pub use query::{Answer, DeclaredName, NoAnswer, Part, declared_names, describe, query, written};
pub use system::{Clock, FileKind, FileState, FileSystem, Moment};
pub use testing::{live_tests, run_tests, run_tests_in};
pub use trust::{NotBrought, Renewal, RenewalError, brought_trust, renew_trust, system_time, trust_request};
