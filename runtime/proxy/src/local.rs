//! Tasks that stay on their worker's thread.

use std::future::Future;

/// Runs hyper's background tasks on the worker's own thread, so that they need not be `Send`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}
