//! Every beginning of every example is parsed, and the server answers on it: what an editor has while somebody writes a mesh
//! from top to bottom. Each answer is one that the protocol allows, and the server is at rest afterwards.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the examples lie on the disk, and helpers panic"
)]

use std::path::Path;

use lsp_server::{Message, Notification, Request};
use meshc_driver::MemoryFileSystem;
use meshc_server::Server;
use serde_json::{Value, json};

const PATH: &str = "file:///work/mesh.mesh";

/// The texts of the examples.
fn examples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(text) = std::fs::read_to_string(path.join("mesh.mesh")) {
            found.push((path.file_name().unwrap().to_string_lossy().into_owned(), text));
        }
    }
    found.sort();
    assert!(found.len() >= 6, "{found:?}");
    found
}

fn server() -> Server {
    let params = json!({ "processId": null, "rootUri": "file:///work", "capabilities": {} });
    let mut server = Server::new(params, Box::new(MemoryFileSystem::default()), None, "0").unwrap().0;
    let document = json!({ "uri": PATH, "languageId": "mesh", "version": 0, "text": "" });
    notify(&mut server, "textDocument/didOpen", json!({ "textDocument": document }));
    server
}

fn notify(server: &mut Server, method: &str, params: Value) {
    server.take(Notification { method: method.to_owned(), params }.into());
}

/// Types one beginning, and asks what an editor asks at its end.
fn type_and_ask(server: &mut Server, version: i32, text: &str) {
    let line = text.matches('\n').count();
    let column = text.rsplit('\n').next().unwrap().encode_utf16().count();
    let position = json!({ "line": line, "character": column });
    let document = json!({ "uri": PATH });
    let params = json!({
        "textDocument": { "uri": PATH, "version": version }, "contentChanges": [{ "text": text }],
    });
    notify(server, "textDocument/didChange", params);
    let asked = ["textDocument/completion", "textDocument/hover", "textDocument/definition"];
    for (id, method) in (version * 10..).zip(asked) {
        let params = json!({ "textDocument": document, "position": position });
        server.take(Request { id: id.into(), method: method.to_owned(), params }.into());
    }
    let mut steps = 0;
    while server.work(&|| false) {
        steps += 1;
        assert!(steps < 100, "the server never comes to rest after\n{text}");
    }
    let mut answers = 0;
    for message in server.outgoing() {
        match message {
            Message::Response(response) => {
                answers += 1;
                assert!(response.response_result.is_ok(), "{response:?} after\n{text}");
            }
            Message::Notification(_) | Message::Request(_) => {}
        }
    }
    assert_eq!(answers, asked.len(), "after\n{text}");
}

#[test]
fn the_server_answers_on_every_beginning_of_every_example() {
    let mut beginnings = 0;
    for (name, whole) in examples() {
        let mut server = server();
        for (version, (end, _)) in (1..).zip(whole.char_indices()) {
            type_and_ask(&mut server, version, &whole[..end]);
            beginnings += 1;
        }
        type_and_ask(&mut server, i32::MAX / 20, &whole);
        beginnings += 1;
        println!("{name}: {beginnings} beginnings so far");
    }
    assert!(beginnings >= 10_000, "{beginnings}");
}
