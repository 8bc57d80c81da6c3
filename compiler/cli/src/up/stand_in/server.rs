//! The listening side of a stand-in application.

use std::net::{SocketAddr, TcpListener as HeldListener};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Behaviour, Shaken, Speech, Stand, Told, http, tcp};

/// How long to wait before a port is tried again that could not be listened on or accepted from.
const AGAIN: Duration = Duration::from_millis(50);

/// Serves one port of an application until the task is dropped. While it is told to be gone, the port is closed and
/// so are its connections.
pub(crate) async fn serve(held: HeldListener, address: SocketAddr, stand: Stand, mut told: Told) {
    let mut listener = held.set_nonblocking(true).and_then(|()| TcpListener::from_std(held)).ok();
    loop {
        let gone = |behaviour: &Behaviour| *behaviour == Behaviour::Gone;
        if told.behaviour.wait_for(|behaviour| !gone(behaviour)).await.is_err() {
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
        let mut until_gone = told.behaviour.clone();
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept(&open, &mut connections, &stand, &told) => {}
            _ = until_gone.wait_for(gone) => {}
        }
        // Dropping the set ends its connections, dropping the listener closes the port.
    }
}

async fn accept(listener: &TcpListener, connections: &mut JoinSet<()>, stand: &Stand, told: &Told) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, stand.clone(), told.clone()));
            }
            // Out of file descriptors, most likely: the connections that are open will free some.
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// A connection that breaks concerns nobody but its client.
async fn connection(stream: TcpStream, stand: Stand, told: Told) {
    let _ = stream.set_nodelay(true);
    let Stand { speech, tls } = stand;
    match (speech, tls) {
        (Speech::Process(address), _) => {
            let _ = tcp::pass_on(stream, address, told).await;
        }
        (Speech::Http | Speech::Tcp, None) => speak(stream, speech, None, told).await,
        (Speech::Http | Speech::Tcp, Some(acceptor)) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                let (_, session) = stream.get_ref();
                let shown = session.peer_certificates().and_then(<[_]>::first);
                let shaken = Shaken {
                    sni: session.server_name().map(str::to_owned),
                    client: shown.map(|shown| meshc_pki::dns_names(shown)).unwrap_or_default(),
                };
                speak(stream, speech, Some(shaken), told).await;
            }
        }
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    speech: Speech,
    tls: Option<Shaken>,
    told: Told,
) {
    match speech {
        Speech::Http => {
            let service = service_fn(|request| {
                let (tls, told) = (tls.clone(), told.clone());
                async move { http::answer(request, tls.as_ref(), told).await }
            });
            let builder = Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        }
        // Processes are not spoken for here.
        Speech::Tcp | Speech::Process(_) => {
            let _ = tcp::converse(stream, told).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Instance;
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::watch;

    async fn start(speech: Speech) -> (SocketAddr, watch::Sender<Behaviour>) {
        let held = HeldListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let (switch, behaviour) = watch::channel(Behaviour::Well);
        let instance = Instance { service: String::from("shop.web"), cluster: String::from("west") };
        tokio::spawn(serve(held, address, Stand { speech, tls: None }, Told { instance, behaviour }));
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
    async fn a_websocket_ends_when_the_application_goes() {
        let (address, switch) = start(Speech::Http).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let asked = "GET / HTTP/1.1\r\nhost: web\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        // A text of one byte, masked with zeros (RFC 6455, section 5.2).
        stream.write_all(&[asked.as_bytes(), b"\x81\x81\0\0\0\0a"].concat()).await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n\x81\x01a") {
            assert_ne!(stream.read_buf(&mut heard).await.unwrap(), 0, "{}", String::from_utf8_lossy(&heard));
        }
        let head = String::from_utf8_lossy(&heard);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        switch.send_replace(Behaviour::Gone);
        while stream.read_buf(&mut heard).await.is_ok_and(|bytes| bytes > 0) {}
        let refused = asked.replace("version: 13", "version: 8").replace("Upgrade", "close, Upgrade");
        switch.send_replace(Behaviour::Well);
        let answer = loop {
            match ask(address, &refused).await {
                Ok(answer) => break answer,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert!(
            answer.starts_with("HTTP/1.1 426 ") && answer.contains("sec-websocket-version: 13"),
            "{answer}"
        );
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
