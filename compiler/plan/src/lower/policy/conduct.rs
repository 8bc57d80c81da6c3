//! How a call is handled: what was resolved for it, as an HTTP route carries it.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::time::Duration;

use meshc_resolve::{Conduct, Through};
use meshc_vocabulary::model::{Callee, Port};

use super::retry::{self, Beside};
use crate::RetryPlan;
use crate::lower::context::Context;

/// Timeouts and retries of the requests of one route to one callee.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::lower) struct Handling {
    pub(in crate::lower) timeout: Option<Duration>,
    pub(in crate::lower) idle_timeout: Option<Duration>,
    pub(in crate::lower) retry: RetryPlan,
}

impl Handling {
    pub(in crate::lower) fn of<'m>(
        context: &Context<'m>,
        through: Through<'m>,
        callee: Callee,
        port: &Port,
        beside: Beside,
    ) -> Self {
        let Conduct { timeout, idle, retry } = context.resolved.conduct(through, callee, port);
        Self { timeout: timeout.value, idle_timeout: idle.value, retry: retry::plan(retry.value, beside) }
    }
}
