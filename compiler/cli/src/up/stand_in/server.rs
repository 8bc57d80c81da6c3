//! The listening side of a stand-in application.

use std::net::{SocketAddr, TcpListener as HeldListener};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Behaviour, Instance, Shaken, Speech, Stand, http, tcp};

/// How long to wait before a port is tried again that could not be listened on or accepted from.
const AGAIN: Duration = Duration::from_millis(50);

/// Serves one port of an application until the task is dropped. While it is told to be gone, the port is closed and
/// so are its connections.
pub(crate) async fn serve(
    held: HeldListener,
    address: SocketAddr,
    stand: Stand,
    instance: Instance,
    mut behaviour: watch::Receiver<Behaviour>,
) {
    let mut listener = held.set_nonblocking(true).and_then(|()| TcpListener::from_std(held)).ok();
    loop {
        let gone = |behaviour: &Behaviour| *behaviour == Behaviour::Gone;
        if behaviour.wait_for(|behaviour| !gone(behaviour)).await.is_err() {
            return;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => match TcpListener::bind(address).await {
                Ok(open) => open,
                Err(_) => {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            },
        };
        let mut until_gone = behaviour.clone();
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept(&open, &mut connections, &stand, &instance, &behaviour) => {}
            _ = until_gone.wait_for(gone) => {}
        }
        // Dropping the set ends its connections, dropping the listener closes the port.
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    stand: &Stand,
    instance: &Instance,
    behaviour: &watch::Receiver<Behaviour>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, stand.clone(), instance.clone(), behaviour.clone()));
            }
            // Out of file descriptors, most likely: the connections that are open will free some.
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// A connection that breaks concerns nobody but its client.
async fn connection(
    stream: TcpStream,
    stand: Stand,
    instance: Instance,
    behaviour: watch::Receiver<Behaviour>,
) {
    let _ = stream.set_nodelay(true);
    let Stand { speech, tls } = stand;
    match (speech, tls) {
        (Speech::Process(address), _) => {
            let _ = tcp::pass_on(stream, address, behaviour).await;
        }
        (Speech::Http | Speech::Tcp, None) => speak(stream, speech, None, instance, behaviour).await,
        (Speech::Http | Speech::Tcp, Some(acceptor)) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                let (_, session) = stream.get_ref();
                let shown = session.peer_certificates().and_then(<[_]>::first);
                let shaken = Shaken {
                    sni: session.server_name().map(str::to_owned),
                    client: shown.map(|shown| meshc_pki::dns_names(shown)).unwrap_or_default(),
                };
                speak(stream, speech, Some(shaken), instance, behaviour).await;
            }
        }
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    speech: Speech,
    tls: Option<Shaken>,
    instance: Instance,
    behaviour: watch::Receiver<Behaviour>,
) {
    match speech {
        Speech::Http => {
            let service = service_fn(|request| {
                let (instance, tls, mut behaviour) = (instance.clone(), tls.clone(), behaviour.clone());
                async move { http::answer(request, &instance, tls.as_ref(), &mut behaviour).await }
            });
            let builder = Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        }
        // Processes are not spoken for here.
        Speech::Tcp | Speech::Process(_) => {
            let _ = tcp::converse(stream, &instance, behaviour).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn start(speech: Speech) -> (SocketAddr, watch::Sender<Behaviour>) {
        let held = HeldListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let (switch, behaviour) = watch::channel(Behaviour::Well);
        let instance = Instance { service: String::from("shop.web"), cluster: String::from("west") };
        tokio::spawn(serve(held, address, Stand { speech, tls: None }, instance, behaviour));
        (address, switch)
    }

    async fn ask(address: SocketAddr, head: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    const REQUEST: &str = "GET /a?b=1 HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\
                           x-forwarded-client-cert: Hash=1;URI=spiffe://t/ns/n/sa/s\r\n\r\n";

    #[tokio::test]
    async fn it_says_who_it_is_and_who_called() {
        let (address, _switch) = start(Speech::Http).await;
        let answer = ask(address, REQUEST).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["service"], "shop.web");
        assert_eq!(body["cluster"], "west");
        assert_eq!(body["caller"], "spiffe://t/ns/n/sa/s");
        assert_eq!(body["path"], "/a?b=1");
        assert_eq!(body["headers"]["host"], "web");
    }

    #[tokio::test]
    async fn it_fails_hangs_goes_and_comes_back() {
        let (address, switch) = start(Speech::Http).await;
        switch.send_replace(Behaviour::Error);
        assert!(ask(address, REQUEST).await.unwrap().starts_with("HTTP/1.1 500 "));
        switch.send_replace(Behaviour::Hang);
        let hanging = tokio::spawn(async move { ask(address, REQUEST).await });
        tokio::task::yield_now().await;
        switch.send_replace(Behaviour::Well);
        assert!(hanging.await.unwrap().unwrap().starts_with("HTTP/1.1 200 "));
        switch.send_replace(Behaviour::Gone);
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        switch.send_replace(Behaviour::Well);
        while ask(address, REQUEST).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_process_takes_the_place_of_an_application() {
        let (process, _process) = start(Speech::Tcp).await;
        let (address, switch) = start(Speech::Process(process)).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "shop.web in west\nhello");
        switch.send_replace(Behaviour::Error);
        assert_eq!(ask(address, "hello").await.unwrap_or_default(), "", "it can be made to fail as any can");
    }

    #[tokio::test]
    async fn tcp_greets_and_echoes() {
        let (address, _switch) = start(Speech::Tcp).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "shop.web in west\nhello");
    }
}
