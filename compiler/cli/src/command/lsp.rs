//! `meshc lsp`: the language server, over standard input and output.

mod transport;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lsp_server::{Connection, Message, Response};
use meshc_server::{Ended, Server};

use crate::console::Console;
use crate::disk::Disk;
use crate::exit::{Context, Exit, Failure};

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc lsp      # an editor starts it

How editors start it, with settings: lang/editors/README.md.

Exits with 0 if the client asked it to shut down first, with 1 otherwise.";

/// Arguments of `meshc lsp`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Speak over standard input and output, which is what it does anyway.
    #[arg(long)]
    stdio: bool,
}

/// Serves until the client ends it.
pub(crate) fn run(_: &Arguments, _: &Console) -> Result<Exit, Failure> {
    let (connection, transport) = transport::start();
    let ended = serve(&connection);
    // Its threads end with the channel.
    drop(connection);
    let ended = ended?;
    transport.join().context(|| String::from("end the connection"))?;
    Ok(match ended {
        Ended::Properly => Exit::Ok,
        Ended::Abruptly => Exit::Findings,
    })
}

/// How long no message comes before the server does what nobody waits for. People type a letter in a tenth of a second or two,
/// and programs faster.
const QUIET: Duration = Duration::from_millis(40);

fn serve(connection: &Connection) -> Result<Ended, Failure> {
    let Ok((id, params)) = connection.initialize_start() else { return Ok(Ended::Abruptly) };
    let (mut server, result) = match Server::new(params, Box::new(Disk), library(), env!("CARGO_PKG_VERSION"))
    {
        Ok(made) => made,
        Err(problem) => {
            let response = Response::new_err(id, -32602, problem.clone());
            let _ = connection.sender.send(response.into());
            return Err(Failure::new(format!("cannot start: {problem}")));
        }
    };
    if connection.initialize_finish(id, result).is_err() {
        return Ok(Ended::Abruptly);
    }
    server.ready();
    let mut is_quiet = false;
    loop {
        if !send(connection, &mut server) {
            return Ok(Ended::Abruptly);
        }
        // Everything that has come goes first: it may make other work useless.
        while let Ok(message) = connection.receiver.try_recv() {
            is_quiet = false;
            if let Some(ended) = server.take(message) {
                return Ok(ended);
            }
        }
        // Somebody who types is not waited for twice: once for what makes the answer, and again for what comes after it.
        if !is_quiet && server.is_at_leisure() {
            match connection.receiver.recv_timeout(QUIET) {
                Ok(message) => {
                    if let Some(ended) = server.take(message) {
                        return Ok(ended);
                    }
                    continue;
                }
                Err(end) if end.is_timeout() => is_quiet = true,
                Err(_) => return Ok(Ended::Abruptly),
            }
        }
        if server.work(&|| !connection.receiver.is_empty()) {
            continue;
        }
        // What was just taken may have been answered at once.
        if !send(connection, &mut server) {
            return Ok(Ended::Abruptly);
        }
        let Ok(message) = connection.receiver.recv() else { return Ok(Ended::Abruptly) };
        is_quiet = false;
        if let Some(ended) = server.take(message) {
            return Ok(ended);
        }
    }
}

fn send(connection: &Connection, server: &mut Server) -> bool {
    let outgoing: Vec<Message> = server.outgoing();
    outgoing.into_iter().all(|message| connection.sender.send(message).is_ok())
}

/// Where the modules of the standard library are written, so that an editor can open them: a directory of this version.
fn library() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("meshc").join(concat!("std-", env!("CARGO_PKG_VERSION"))))
}

#[cfg(test)]
mod tests {
    use lsp_server::{Notification, Request};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_answered_at_once_is_sent_before_it_waits() {
        let (server, client) = Connection::memory();
        let request = |id: i32, method: &str| {
            Message::from(Request::new(id.into(), method.into(), json!({ "capabilities": {} })))
        };
        // All of it has come before the server looks for the first time.
        for message in [
            request(1, "initialize"),
            Notification::new("initialized".into(), json!({})).into(),
            request(2, "shutdown"),
        ] {
            client.sender.send(message).unwrap();
        }
        let serving = std::thread::spawn(move || serve(&server).map_err(|failure| failure.message));
        let answered = |id: i32| {
            std::iter::from_fn(|| client.receiver.recv_timeout(Duration::from_secs(60)).ok())
                .any(|message| matches!(message, Message::Response(it) if it.id == id.into()))
        };
        assert!(answered(1));
        assert!(answered(2));
        client.sender.send(Notification::new("exit".into(), json!({})).into()).unwrap();
        assert!(matches!(serving.join().unwrap(), Ok(Ended::Properly)));
    }
}
