//! Runs the tasks of an HTTP library's connection on the worker's own thread.

/// What such a library is given to run them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnThisThread;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
