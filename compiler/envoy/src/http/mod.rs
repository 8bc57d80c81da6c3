//! HTTP: routes, retries, authorization and limits.

mod answers;
pub(crate) mod authorization;
pub(crate) mod clients;
mod cookies;
mod cors;
mod deadline;
mod descriptor;
mod fault;
pub(crate) mod filters;
mod hash;
mod headers;
mod local_limit;
pub(crate) mod manager;
pub(crate) mod matches;
pub(crate) mod path_expression;
mod rate_limit;
pub(crate) mod replies;
pub(crate) mod reserved;
pub(crate) mod retry;
pub(crate) mod routes;
pub(crate) mod upgrade;
