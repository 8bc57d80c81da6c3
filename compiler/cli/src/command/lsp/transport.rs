//! Messages of the language server over standard input and output.
//!
//! The transport of `lsp-server` passes one message at a time, so that it is not seen that more are waiting, and ends at the
//! first one that it cannot read. Here they queue, and each that makes no sense is answered on its own.

use std::io::{self, BufRead, Read};
use std::thread::{self, JoinHandle};

use lsp_server::{Connection, Message};
use serde_json::{Value, json};

/// The threads that read and write.
pub(super) struct Transport {
    reader: JoinHandle<io::Result<()>>,
    writer: JoinHandle<io::Result<()>>,
}

/// Begins to read and to write.
pub(super) fn start() -> (Connection, Transport) {
    let (server, Connection { sender, receiver }) = Connection::memory();
    let reader = thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(content) = content(&mut input)? {
            match message(&content) {
                Ok(message) => {
                    let exit = matches!(&message, Message::Notification(it) if it.method == "exit");
                    if sender.send(message).is_err() || exit {
                        break;
                    }
                }
                Err(answer) => write(&answer)?,
            }
        }
        Ok(())
    });
    let writer =
        thread::spawn(move || receiver.into_iter().try_for_each(|it| it.write(&mut io::stdout().lock())));
    (server, Transport { reader, writer })
}

impl Transport {
    /// Waits until both have ended.
    ///
    /// # Errors
    ///
    /// Why one of them could not go on.
    pub(super) fn join(self) -> io::Result<()> {
        for thread in [self.reader, self.writer] {
            thread.join().map_err(|_| io::Error::other("a thread of the connection ended early"))??;
        }
        Ok(())
    }
}

/// The content of the next message; `None` at the end of the input.
fn content(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let malformed = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut length = None;
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(malformed(format!("`{line}` is not a header of a message")));
        };
        if name.eq_ignore_ascii_case("Content-Length") {
            let number = value.trim().parse::<u64>();
            length = Some(number.map_err(|_| malformed(format!("`{line}` is not a length of a message")))?);
        }
    }
    let length = length.ok_or_else(|| malformed(String::from("a message has no `Content-Length`")))?;
    let mut content = Vec::new();
    // Read as it comes, since a length that is not true need not fit into memory.
    let read = input.take(length).read_to_end(&mut content)?;
    Ok((u64::try_from(read) == Ok(length)).then_some(content))
}

/// The message with this content, or the answer of JSON-RPC to what is none.
fn message(content: &[u8]) -> Result<Message, Value> {
    let value: Value = match serde_json::from_slice(content) {
        Ok(value) => value,
        Err(problem) => return Err(refusal(&Value::Null, -32700, &format!("this is not JSON: {problem}"))),
    };
    let id = match value.get("id") {
        Some(id @ (Value::Number(_) | Value::String(_))) => id.clone(),
        Some(_) | None => Value::Null,
    };
    serde_json::from_value(value).map_err(|_| refusal(&id, -32600, "this is not a message of JSON-RPC"))
}

fn refusal(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

/// Writes a message whose id may be null, which those of `lsp-server` are not.
fn write(answer: &Value) -> io::Result<()> {
    let text = answer.to_string();
    let mut output = io::stdout().lock();
    io::Write::write_all(&mut output, format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes())?;
    io::Write::flush(&mut output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_refused_on_its_own() {
        let refused = |text: &str| {
            let answer = message(text.as_bytes()).unwrap_err();
            (answer["id"].clone(), answer["error"]["code"].clone())
        };
        assert_eq!(refused("{bad}"), (Value::Null, json!(-32700)));
        assert_eq!(refused("[]"), (Value::Null, json!(-32600)));
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":5,"method":5}"#), (json!(5), json!(-32600)));
        assert!(message(br#"{"jsonrpc":"2.0","id":5,"method":"shutdown"}"#).is_ok());
        assert!(message(b"\"\xff\"").is_err());
    }

    #[test]
    fn headers_end_at_an_empty_line() {
        let mut input: &[u8] = b"content-length: 2\r\nContent-Type: x\r\n\r\n{}Content-Length: 9\r\n\r\n{}";
        assert_eq!(content(&mut input).unwrap(), Some(b"{}".to_vec()));
        assert_eq!(content(&mut input).unwrap(), None, "it ends in the middle of a message");
        assert!(content(&mut &b"Content-Length: -1\r\n\r\n"[..]).is_err());
        assert!(content(&mut &b"\r\n"[..]).is_err());
        assert!(content(&mut &b"nonsense\r\n"[..]).is_err());
    }
}
