//! HTTP: routes, retries, authorization and limits.

pub(crate) mod authorization;
pub(crate) mod clients;
mod descriptor;
pub(crate) mod local_limit;
pub(crate) mod manager;
pub(crate) mod matches;
pub(crate) mod rate_limit;
pub(crate) mod replies;
mod reserved;
pub(crate) mod retry;
pub(crate) mod routes;
