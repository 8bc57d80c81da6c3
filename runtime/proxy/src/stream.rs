//! The tasks of clients' HTTP/2 streams: each can be given up without the others of its connection.
//!
//! Between proxies one connection carries the requests of many clients. Closing it because one of them does not read
//! would end the requests of all.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

tokio::task_local! {
    static CURRENT: Rc<Stream>;
}

/// A stream while its request is being answered.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    given_up: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// Streams' tasks that outlive the answer: what was agreed on in the place of HTTP.
    children: RefCell<Vec<Rc<Stream>>>,
}

impl Stream {
    /// The stream whose request the running task answers; none over HTTP/1.1.
    pub(crate) fn current() -> Option<Rc<Self>> {
        CURRENT.try_with(Rc::clone).ok()
    }

    /// Ends the task as soon as it can run, and with it everything that is kept for the answer. The client is told by a
    /// reset.
    pub(crate) fn give_up(&self) {
        self.given_up.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        self.children.borrow().iter().for_each(|child| child.give_up());
    }

    /// Whether it was given up.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.get()
    }

    /// Runs `task` unless the stream is given up.
    async fn run(self: Rc<Self>, task: impl Future<Output = ()>) {
        let mut task = pin!(task);
        poll_fn(|cx| {
            if self.given_up.get() {
                return Poll::Ready(());
            }
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            drop(waker);
            task.as_mut().poll(cx)
        })
        .await;
    }
}

/// Runs the tasks of streams on the worker's own thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streams;

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, task: F) {
        let stream = Rc::new(Stream::default());
        if let Some(parent) = Stream::current() {
            parent.children.borrow_mut().push(Rc::clone(&stream));
        }
        tokio::task::spawn_local(CURRENT.scope(Rc::clone(&stream), stream.run(task)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::rt::Executor as _;

    #[tokio::test]
    async fn a_stream_that_is_given_up_drops_what_it_holds() {
        tokio::task::LocalSet::new().run_until(given_up()).await;
    }

    async fn given_up() {
        let held = Rc::new(());
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let inside = Rc::clone(&held);
        Streams.execute(async move {
            let _inside = inside;
            let _ = sender.send(Stream::current());
            std::future::pending::<()>().await;
        });
        let stream = receiver.await.ok().flatten();
        assert_eq!(
            (Rc::strong_count(&held), stream.as_ref().map(|stream| stream.is_given_up())),
            (2, Some(false))
        );
        if let Some(stream) = stream {
            stream.give_up();
            assert!(stream.is_given_up());
        }
        while Rc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
        assert!(Stream::current().is_none(), "there is none outside");
    }
}
