//! The data plane as a library: everything meshd does, without its command line.
//!
//! [`Proxy::start`] reads a configuration, opens its listeners and returns a running proxy; [`Proxy::drain`] lets it
//! leave without breaking a request; [`Proxy::wait`] returns when it is gone.
//!
//! How it is put together: one control thread owns everything slow (files, DNS, signals' consequences); each worker
//! thread owns its sockets, its connections and its pools, and shares only immutable snapshots and small counters with
//! the others. One more thread serves probes and metrics, so that a worker that is stuck is found. A connection loads the snapshot once, a request again, so a reload needs no locks and breaks nothing.
//!
//! Invariants: nothing here knows the language or the compiler; no TLS name check but the SPIFFE id; a private key
//! never leaves `tls`; a configuration that does not validate never replaces one that did.

#![expect(clippy::disallowed_methods, reason = "the data plane is the edge: it reads files and clocks")]

mod accept;
mod access_log;
mod address;
mod admin;
mod affinity;
mod app;
mod authorize;
mod back_off;
mod balance;
mod body;
mod bounds;
mod buffers;
mod choice;
mod comparison;
mod connect;
mod control;
mod counters;
mod deadline;
mod decide;
mod dns;
mod drain;
mod files;
mod filter;
mod fit;
mod forward;
mod frames;
mod from_client;
mod growing;
mod handshake;
mod headers;
mod health;
mod heartbeat;
mod hello;
mod hosts;
mod http_connection;
mod http_server;
mod inside;
mod limit;
mod limit_keys;
mod limiter;
mod linger;
mod listen;
mod local_reply;
mod members;
mod memory;
mod metrics;
mod normalize;
mod noticed;
mod on_this_thread;
mod operators;
mod outcome;
mod outgoing;
mod outlier;
mod overdue;
mod paced;
mod patience;
mod pipe;
mod place;
mod pool;
mod presence;
mod probe;
mod proxy;
mod proxy_protocol;
mod queue;
mod random;
mod reads_on;
mod receive;
mod refusal;
mod relay;
mod replayed;
mod retry_budget;
mod room;
mod route;
mod seldom;
mod serve;
mod settled;
mod shares;
mod snapshot;
mod sni;
mod taken;
mod target;
mod tcp;
mod tls;
mod token_bucket;
mod trailers;
mod tunnel;
mod upgrade;
mod upstream;
mod vouched;
mod watch;
mod watched;
mod worker;

pub use limiter::{Answer, Limiter, Question, Verdict};
pub use normalize::{Normalized, normalize};
pub use proxy::{Failure, Options, Proxy};
pub use sni::{Hello, MAX_HELLO, peek};
