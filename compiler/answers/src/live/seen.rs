//! What is seen of a request from outside.

use std::time::Duration;

use super::words;

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What was seen.
    pub seen: Seen,
    /// How long that took.
    pub after: Duration,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An application answered, and says who it is.
    Answered {
        /// `namespace.service`, or `namespace.service.subset`; the name of a host outside.
        service: String,
        /// Its cluster; the address of a host outside.
        cluster: String,
    },
    /// A proxy answered by itself, with this status; those of gRPC as the statuses that they stand for.
    Proxy(u16),
    /// Something answered that is no stand-in of the mesh: who is not to be seen.
    Somebody,
    /// The connection was refused or closed without an answer.
    Closed,
    /// No answer came in time.
    Silent,
}

impl Observation {
    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let after = words(self.after);
        match &self.seen {
            Seen::Answered { service, cluster } => format!("`{service} in {cluster}` answers"),
            Seen::Proxy(status) => format!("a proxy answers with {status}"),
            Seen::Somebody => String::from("something answers that does not say who it is"),
            Seen::Closed => String::from("the connection is closed without an answer"),
            Seen::Silent => format!("no answer comes in {after}"),
        }
    }
}
