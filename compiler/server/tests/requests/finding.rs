//! Diagnostics: pushed and pulled, across files, with texts that nobody saved.

use lsp_server::Message;
use serde_json::json;

use crate::{Client, MESH, SHOP, codes, uri};

#[test]
fn a_sound_mesh_has_no_findings_and_a_mistake_has_one_where_it_is() {
    let mut client = Client::new();
    assert_eq!(client.found("/work/shop.mesh"), [""; 0]);
    assert_eq!(client.found("/work/mesh.mesh"), [""; 0]);
    client.change("/work/shop.mesh", 2, &SHOP.replace("[cart, pay.cards]", "[kart, pay.cards]"));
    assert_eq!(client.found("/work/shop.mesh"), ["14:E0103"]);
    client.change("/work/shop.mesh", 3, SHOP);
    assert_eq!(client.found("/work/shop.mesh"), [""; 0]);
}

#[test]
fn a_change_in_one_file_is_found_in_another_that_is_not_even_open() {
    let mut client = Client::with(&[("/work/mesh.mesh", MESH), ("/work/shop.mesh", SHOP)], json!({}));
    client.open("/work/mesh.mesh", MESH);
    assert_eq!(client.found("/work/shop.mesh"), [""; 0]);
    client.change("/work/mesh.mesh", 2, &MESH.replace("service cards", "service card"));
    assert_eq!(client.found("/work/shop.mesh"), ["14:E0103"]);
    assert_eq!(client.found("/work/mesh.mesh"), [""; 0]);
}

#[test]
fn a_file_that_nothing_uses_is_checked_on_its_own_and_says_so() {
    let mut client = Client::with(&[("/work/mesh.mesh", MESH), ("/work/shop.mesh", SHOP)], json!({}));
    client.open("/work/other.mesh", "service web {}\n");
    let found = client.found("/work/other.mesh");
    assert!(found.contains(&String::from("0:alone")), "{found:?}");
    // Used by the entry file, it is part of that.
    client.open("/work/mesh.mesh", &format!("use \"other.mesh\"\n{MESH}"));
    let found = client.found("/work/other.mesh");
    assert!(!found.is_empty() && !found.contains(&String::from("0:alone")), "{found:?}");
}

#[test]
fn a_file_that_is_closed_is_as_it_is_on_the_disk() {
    let mut client = Client::new();
    client.change("/work/shop.mesh", 2, "namespace shop {\n");
    assert!(!client.found("/work/shop.mesh").is_empty());
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri("/work/shop.mesh") } }));
    assert_eq!(client.found("/work/shop.mesh"), [""; 0]);
}

#[test]
fn who_pulls_gets_a_list_and_then_that_it_is_the_same() {
    let capabilities = json!({
        "textDocument": { "diagnostic": {} }, "workspace": { "diagnostics": { "refreshSupport": true } },
    });
    let mut client = Client::with(&[("/work/mesh.mesh", MESH), ("/work/shop.mesh", SHOP)], capabilities);
    client.open("/work/shop.mesh", &SHOP.replace("[cart, pay.cards]", "[kart, pay.cards]"));
    let params = json!({ "textDocument": { "uri": uri("/work/shop.mesh") } });
    let report = client.ask("textDocument/diagnostic", params.clone());
    assert_eq!(
        (report["kind"].as_str(), codes(&report["items"])),
        (Some("full"), vec![String::from("14:E0103")])
    );
    let mut again = params.clone();
    again["previousResultId"] = report["resultId"].clone();
    let report = client.ask("textDocument/diagnostic", again.clone());
    assert_eq!(report["kind"], "unchanged");
    client.change("/work/shop.mesh", 2, SHOP);
    let report = client.ask("textDocument/diagnostic", again);
    assert_eq!((report["kind"].as_str(), codes(&report["items"])), (Some("full"), vec![]));
    // What another file does to it is told: ask again.
    client.told.clear();
    client.open("/work/mesh.mesh", &MESH.replace("service cards", "service card"));
    client.settle();
    let told = format!("{:?}", client.told);
    assert!(told.contains("workspace/diagnostic/refresh"), "{told}");
    assert!(!told.contains("publishDiagnostics"), "what is pulled is not pushed: {told}");
}

#[test]
fn inputs_have_the_values_of_the_settings() {
    let text = format!("input stage: string\n{MESH}").replace("\"cluster.local\"", "stage");
    let mut client = Client::with(&[("/work/shop.mesh", SHOP)], json!({}));
    client.open("/work/mesh.mesh", &text);
    assert_eq!(client.found("/work/mesh.mesh"), ["0:E0140"]);
    let settings = json!({ "settings": { "meshc": { "definitions": ["stage=acme.example"] } } });
    client.notify("workspace/didChangeConfiguration", settings);
    assert_eq!(client.found("/work/mesh.mesh"), [""; 0]);
}

#[test]
fn whoever_types_waits_for_no_plan() {
    let pulls = json!({ "textDocument": { "diagnostic": {} }, "workspace": { "diagnostics": {} } });
    let mut client = Client::with(&[("/work/mesh.mesh", MESH), ("/work/shop.mesh", SHOP)], pulls);
    client.open("/work/shop.mesh", SHOP);
    let asked = json!({ "textDocument": { "uri": uri("/work/shop.mesh") } });
    for version in 2..12 {
        client.change("/work/shop.mesh", version, &format!("{SHOP}// {version}\n"));
        let id = client.post("textDocument/diagnostic", asked.clone());
        client.hurry();
        let answered = |message: &Message| matches!(message, Message::Response(it) if it.id == id.into());
        assert!(client.told.iter().any(answered), "it is answered before all stages ran");
        // A stage that is left has done nothing, and is there again.
        assert!(client.work_interrupted() && client.work_interrupted());
        assert_eq!(client.hurry(), 0, "nobody waits for the stages that are left");
    }
    client.settle();
    assert!(!client.work_interrupted(), "they run in the end");
}
