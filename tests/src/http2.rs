//! An HTTP/2 client on loopback: so many requests, so many of them at a time, over one connection, and a hard bound on
//! waiting.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// How long one answer may take. Nothing here takes as long, so a proxy that never answers is found and not waited for.
const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("somebody listens there");
    stream.set_nodelay(true).expect("an option that sockets have");
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    // It ends with the client; what its requests come to tells how.
    drop(tokio::spawn(connection));
    sender
}

/// One connection.
pub struct Connection {
    runtime: Runtime,
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// Opens one, for requests to this host.
    ///
    /// # Panics
    /// If nobody listens there, or the address is not on loopback: nothing in these tests sends anywhere else.
    #[must_use]
    pub fn open(address: SocketAddr, host: &str) -> Self {
        assert!(address.ip().is_loopback(), "{address} is not on loopback");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let sender = runtime.block_on(connect(address));
        Self { runtime, address, sender, host: host.to_owned() }
    }

    /// Whether the other end takes no more requests on it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    fn request(&self, path: &str) -> Request<Full<Bytes>> {
        let uri = format!("http://{}{path}", self.host);
        Request::get(uri).body(Full::default()).expect("a request")
    }

    /// Sends so many requests, so many at a time; the statuses in order, 0 for one whose connection or stream ended. One
    /// that could not be sent, because the other end has taken its leave, goes on a connection of its own, as with any
    /// client.
    ///
    /// # Panics
    /// If one is not answered within half a minute.
    #[must_use]
    pub fn load(&self, path: &str, requests: usize, at_a_time: usize) -> Vec<u16> {
        self.at_a_time(requests, at_a_time, |mut sender, number| {
            let (request, path, address) = (self.request(path), path.to_owned(), self.address);
            async move {
                let status = async {
                    let answer = match sender.try_send_request(request).await {
                        Ok(answer) => answer,
                        Err(mut error) => {
                            let unsent = error.take_message()?;
                            connect(address).await.send_request(unsent).await.ok()?
                        }
                    };
                    let status = answer.status().as_u16();
                    answer.into_body().collect().await.ok().map(|_| status)
                };
                let status = tokio::time::timeout(PATIENCE, status).await;
                status.unwrap_or_else(|_| panic!("no answer to request {number} to {path}")).unwrap_or(0)
            }
        })
    }

    /// Begins so many requests, so many at a time, and breaks each off after `patience`, whatever has come by then.
    pub fn break_off(&self, path: &str, requests: usize, at_a_time: usize, patience: Duration) {
        self.at_a_time(requests, at_a_time, |mut sender, _| {
            let request = self.request(path);
            async move {
                // Dropping the answer resets its stream.
                drop(tokio::time::timeout(patience, sender.send_request(request)).await);
            }
        });
    }

    /// Runs so many of what `one` returns, so many at a time; what came of them, in order.
    fn at_a_time<F>(
        &self,
        count: usize,
        at_a_time: usize,
        one: impl Fn(SendRequest<Full<Bytes>>, usize) -> F,
    ) -> Vec<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let permits = Arc::new(Semaphore::new(at_a_time));
        let tasks: Vec<_> = (0..count)
            .map(|number| {
                let (permits, one) = (Arc::clone(&permits), one(self.sender.clone(), number));
                self.runtime.spawn(async move {
                    let _permit = permits.acquire().await.expect("never closed");
                    one.await
                })
            })
            .collect();
        let ended = tasks.into_iter().map(|task| self.runtime.block_on(task));
        ended.map(|output| output.expect("the request's own bound was kept")).collect()
    }
}
