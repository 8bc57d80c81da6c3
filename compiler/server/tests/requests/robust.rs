//! What the server must bear: cancellation, changes that overtake requests, odd messages, and every beginning of a mesh.

use lsp_server::{Message, Notification};
use serde_json::{Value, json};

use crate::{Client, MESH, SHOP, at, uri};
use meshc_server::Ended;

const PART: &str = "/work/shop.mesh";

#[test]
fn what_is_cancelled_is_not_answered() {
    let mut client = Client::new();
    let (params, _) = at(PART, &SHOP.replace("service web", "service w|eb"), json!({}));
    let id = client.post("textDocument/hover", params);
    client.notify("$/cancelRequest", json!({ "id": id }));
    assert_eq!(client.answer(id).unwrap_err().0, -32800);
}

#[test]
fn a_request_that_a_change_overtakes_is_not_answered_from_the_wrong_text() {
    let mut client = Client::new();
    let (params, _) = at(PART, &SHOP.replace("service web", "service w|eb"), json!({}));
    let id = client.post("textDocument/hover", params);
    client.change(PART, 2, &format!("\n\n{SHOP}"));
    assert_eq!(client.answer(id).unwrap_err().0, -32801);
}

#[test]
fn odd_messages_are_errors_and_nothing_more() {
    let mut client = Client::new();
    for (method, params, code) in [
        ("textDocument/nothing", json!({}), -32601),
        ("textDocument/hover", json!({ "textDocument": 7 }), -32602),
        ("textDocument/hover", Value::Null, -32602),
        ("workspace/executeCommand", json!({ "command": "rm" }), -32602),
    ] {
        let id = client.post(method, params);
        assert_eq!(client.answer(id).unwrap_err().0, code, "{method}");
    }
    client.notify(
        "textDocument/didChange",
        json!({ "textDocument": { "uri": "file:///nowhere", "version": 1 } }),
    );
    client.notify("textDocument/didOpen", json!([]));
    let position = json!({ "line": 4_000_000_000_u32, "character": 4_000_000_000_u32 });
    let params = json!({ "textDocument": { "uri": uri("/work/none.mesh") }, "position": position });
    assert_eq!(client.ask("textDocument/hover", params), Value::Null);
    client.open("untitled:Untitled-1", "mesh");
    client.settle();
}

#[test]
fn it_ends_as_the_client_says() {
    let mut client = Client::new();
    let exit = || Message::from(Notification { method: "exit".to_owned(), params: Value::Null });
    assert_eq!(client.send(exit()), Some(Ended::Abruptly));
    assert_eq!(client.ask("shutdown", Value::Null), Value::Null);
    let id = client.post("textDocument/hover", json!({}));
    assert_eq!(client.answer(id).unwrap_err().0, -32600);
    assert_eq!(client.send(exit()), Some(Ended::Properly));
}

#[test]
fn line_ends_of_other_systems_count_as_such() {
    let mut client = Client::new();
    let text = SHOP.replace('\n', "\r\n");
    client.change(PART, 2, &text.replace("[cart, pay.cards]", "[kart, pay.cards]"));
    assert_eq!(client.found(PART), ["14:E0103"]);
}

/// Asks everything about one place.
fn ask_everything(client: &mut Client, path: &str, text: &str) {
    let line = text.matches('\n').count();
    let column = text.rsplit('\n').next().unwrap().encode_utf16().count();
    let position = json!({ "line": line, "character": column });
    let document = json!({ "uri": uri(path) });
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": position });
    for method in ["completion", "hover", "definition", "documentHighlight", "prepareCallHierarchy"] {
        let params = json!({ "textDocument": document, "position": position });
        client.ask(&format!("textDocument/{method}"), params);
    }
    for method in
        ["documentSymbol", "foldingRange", "semanticTokens/full", "codeLens", "formatting", "inlayHint"]
    {
        let params = json!({
            "textDocument": document, "range": range, "options": { "tabSize": 2, "insertSpaces": true },
        });
        client.ask(&format!("textDocument/{method}"), params);
    }
    client.ask("textDocument/selectionRange", json!({ "textDocument": document, "positions": [position] }));
    let context = json!({ "includeDeclaration": true });
    let params = json!({ "textDocument": document, "position": position, "context": context });
    client.ask("textDocument/references", params);
}

/// Prefixes of the examples are asked about in `tests/suite`; here each beginning of the mesh of two files.
#[test]
fn every_beginning_of_a_mesh_is_answered() {
    for (path, whole) in [(PART, SHOP), ("/work/mesh.mesh", MESH)] {
        let mut client = Client::new();
        for (version, (end, _)) in (2..).zip(whole.char_indices()) {
            let text = &whole[..end];
            client.change(path, version, text);
            ask_everything(&mut client, path, text);
            client.told.clear();
        }
    }
}
