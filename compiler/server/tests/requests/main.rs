//! The server as a client meets it, over a file system in memory.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers fail by panicking"
)]

mod asking;
mod changing;
mod finding;
mod robust;

use std::path::{Path, PathBuf};

use lsp_server::{Message, Notification, Request, Response};
use meshc_driver::MemoryFileSystem;
use serde_json::{Value, json};

use meshc_server::{Ended, Server};

/// A mesh without mistakes, in three files.
pub(crate) const MESH: &str = r#"use "shop.mesh" as parts
use std.clusters

mesh acme { trust_domain = "cluster.local", trust = house }
trust house {}

apply clusters.front(name = west, region = "us", address = 192.0.2.10, eastwest = 192.0.2.11)
apply clusters.back(name = east, region = "us", eastwest = 192.0.2.21)

namespace pay {
  service cards {
    clusters = [west, east]
    port http { number = 80 }
  }
}
"#;

pub(crate) const SHOP: &str = r#"/// How long anybody waits.
let patience = 2s

template api(name: string, target: integer(1, 65535) = 8080) {
  service "${name}" {
    clusters = [west]
    port http { number = 80, target = target }
  }
}

namespace shop {
  /// The front of the shop.
  service web {
    clusters = [west]
    calls    = [cart, pay.cards]
    port http { number = 80 }
  }
  apply api(name = "cart", target = 3000)

  policy web {
    targets = [web]
    timeout { request = patience }
  }

  route web { gateway = west.ingress, hosts = ["shop.example"], to = web }
}
"#;

/// A client in the same process.
pub(crate) struct Client {
    server: Server,
    next: i32,
    /// What came that was no answer.
    pub(crate) told: Vec<Message>,
}

pub(crate) fn uri(path: &str) -> String {
    format!("file://{path}")
}

impl Client {
    pub(crate) fn with(files: &[(&str, &str)], capabilities: Value) -> Self {
        let params = json!({
            "processId": null, "rootUri": "file:///work", "capabilities": capabilities,
        });
        let disk = Box::new(MemoryFileSystem::with(files));
        let library = Some(PathBuf::from("/cache/std"));
        let (server, _) = Server::new(params, disk, library, "0").unwrap();
        Self { server, next: 0, told: Vec::new() }
    }

    /// With the mesh of this module open.
    pub(crate) fn new() -> Self {
        let mut client = Self::with(&[("/work/mesh.mesh", MESH), ("/work/shop.mesh", SHOP)], json!({}));
        client.open("/work/mesh.mesh", MESH);
        client.open("/work/shop.mesh", SHOP);
        client
    }

    pub(crate) fn send(&mut self, message: Message) -> Option<Ended> {
        let ended = self.server.take(message);
        self.told.extend(self.server.outgoing());
        ended
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.send(Notification { method: method.to_owned(), params }.into());
    }

    /// Lets the server work until there is nothing to do.
    pub(crate) fn settle(&mut self) {
        let mut steps = 0;
        while self.server.work(&|| false) {
            steps += 1;
            assert!(steps < 10_000, "the server never comes to rest");
        }
        self.told.extend(self.server.outgoing());
    }

    /// Lets the server work until nobody waits for what is left, and says in how many pieces.
    pub(crate) fn hurry(&mut self) -> usize {
        let mut steps = 0;
        while !self.server.is_at_leisure() && self.server.work(&|| false) {
            steps += 1;
            assert!(steps < 10_000, "the server never comes to leisure");
        }
        self.told.extend(self.server.outgoing());
        steps
    }

    /// Does one piece of work while a message waits.
    pub(crate) fn work_interrupted(&mut self) -> bool {
        self.server.work(&|| true)
    }

    pub(crate) fn open(&mut self, path: &str, text: &str) {
        let document = json!({ "uri": uri(path), "languageId": "mesh", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Replaces the text of a document that is open.
    pub(crate) fn change(&mut self, path: &str, version: i32, text: &str) {
        let document = json!({ "uri": uri(path), "version": version });
        let changes = json!([{ "text": text }]);
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    pub(crate) fn post(&mut self, method: &str, params: Value) -> i32 {
        self.next += 1;
        self.send(Request { id: self.next.into(), method: method.to_owned(), params }.into());
        self.next
    }

    /// The answer to a request that was sent.
    pub(crate) fn answer(&mut self, id: i32) -> Result<Value, (i32, String)> {
        self.settle();
        let is_answer = |message: &Message| matches!(message, Message::Response(one) if one.id == id.into());
        let at = self.told.iter().position(is_answer).expect("an answer");
        let Message::Response(Response { response_result, .. }) = self.told.remove(at) else {
            unreachable!()
        };
        response_result.map_err(|error| (error.code, error.message))
    }

    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.post(method, params);
        self.answer(id).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    /// Asks about the place of `|` in a text, which replaces that of an open document.
    pub(crate) fn ask_at(&mut self, method: &str, path: &str, marked: &str, more: Value) -> Value {
        let (params, text) = at(path, marked, more);
        self.next += 1;
        let version = self.next + 100;
        self.change(path, version, &text);
        self.ask(method, params)
    }

    /// The last findings that were told of a file.
    pub(crate) fn found(&mut self, path: &str) -> Vec<String> {
        self.settle();
        let about = |message: &&Message| match message {
            Message::Notification(told) => {
                told.method == "textDocument/publishDiagnostics" && told.params["uri"] == uri(path)
            }
            Message::Request(_) | Message::Response(_) => false,
        };
        match self.told.iter().rfind(about) {
            Some(Message::Notification(told)) => codes(&told.params["diagnostics"]),
            _ => Vec::new(),
        }
    }
}

/// The codes of findings, with their lines.
pub(crate) fn codes(list: &Value) -> Vec<String> {
    let line = |found: &Value| found["range"]["start"]["line"].as_u64().unwrap();
    let all = list.as_array().unwrap().iter();
    all.map(|found| format!("{}:{}", line(found), found["code"].as_str().unwrap_or("alone"))).collect()
}

/// Parameters for the place of `|`, and the text without it.
pub(crate) fn at(path: &str, marked: &str, more: Value) -> (Value, String) {
    let offset = marked.find('|').expect("a `|`");
    let before = &marked[..offset];
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap().encode_utf16().count();
    let mut params = json!({
        "textDocument": { "uri": uri(path) }, "position": { "line": line, "character": column },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        params[key] = value.clone();
    }
    (params, marked.replacen('|', "", 1))
}

/// The lines of places in a file, one-based.
pub(crate) fn lines(places: &Value) -> Vec<(String, u64)> {
    let name = |place: &Value| {
        let uri = place["uri"].as_str().unwrap();
        Path::new(uri).file_name().unwrap().to_string_lossy().into_owned()
    };
    let line = |place: &Value| place["range"]["start"]["line"].as_u64().unwrap() + 1;
    places.as_array().unwrap().iter().map(|place| (name(place), line(place))).collect()
}
