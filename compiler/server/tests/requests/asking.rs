//! Completion, hover, definition, references, symbols, hints and calls.

use serde_json::{Value, json};

use crate::{Client, MESH, SHOP, lines, uri};

const ENTRY: &str = "/work/mesh.mesh";
const PART: &str = "/work/shop.mesh";

fn labels(client: &mut Client, marked: &str) -> Vec<String> {
    let list = client.ask_at("textDocument/completion", PART, marked, json!({}));
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
}

fn has(all: &[String], words: &[&str]) {
    for word in words {
        assert!(all.iter().any(|label| label == word), "`{word}` is not in {all:?}");
    }
}

fn hover(client: &mut Client, marked: &str) -> String {
    let found = client.ask_at("textDocument/hover", PART, marked, json!({}));
    found["contents"]["value"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned()
}

#[test]
fn kinds_and_attributes_are_completed_with_what_they_mean() {
    let mut client = Client::new();
    has(
        &labels(&mut client, &format!("{SHOP}\n|")),
        &["namespace", "cluster", "policy", "let", "use", "template"],
    );
    let inside = labels(
        &mut client,
        &SHOP.replace("    port http { number = 80 }\n  }\n  apply", "    |\n  }\n  apply"),
    );
    has(&inside, &["port", "account", "vip", "for"]);
    assert!(!inside.iter().any(|label| label == "calls"), "it is given already: {inside:?}");
    let list = client.ask_at(
        "textDocument/completion",
        PART,
        &format!("{SHOP}\nnamespace a {{ service b {{ cl|"),
        json!({}),
    );
    let item = list["items"].as_array().unwrap().iter().find(|item| item["label"] == "clusters").unwrap();
    assert!(item["documentation"]["value"].as_str().unwrap().len() > 40, "{item}");
    assert_eq!(item["textEdit"]["newText"], "clusters = []", "{item}");
}

#[test]
fn values_are_completed_by_their_type() {
    let mut client = Client::new();
    has(&labels(&mut client, &SHOP.replace("[cart, pay.cards]", "[|]")), &["cart", "web", "pay.cards"]);
    assert_eq!(labels(&mut client, &SHOP.replace("[cart, pay.cards]", "[pay.|]")), ["cards"]);
    has(&labels(&mut client, &SHOP.replace("request = patience", "request = 20|")), &["20s", "20ms", "20m"]);
    has(&labels(&mut client, &SHOP.replace("request = patience", "request = p|")), &["patience", "none"]);
    has(
        &labels(&mut client, &SHOP.replace("{ number = 80 }", "{ number = 80, protocol = | }")),
        &["http", "tcp", "grpc"],
    );
    has(
        &labels(&mut client, &SHOP.replace("clusters = [west]\n    calls", "clusters = [|]\n    calls")),
        &["west", "east"],
    );
}

#[test]
fn blocks_that_are_written_by_their_value_are_completed_and_explained() {
    let mut client = Client::new();
    let short =
        SHOP.replace("timeout { request = patience }", "timeout = patience, allow = [web], balance = random");
    assert_ne!(short, SHOP);
    has(&labels(&mut client, &short.replace("timeout = patience", "timeout = |")), &["patience", "none"]);
    has(&labels(&mut client, &short.replace("timeout = patience", "timeout = 20|")), &["20s", "20ms"]);
    has(&labels(&mut client, &short.replace("allow = [web]", "allow = [|]")), &["cart", "web", "everyone"]);
    has(&labels(&mut client, &short.replace("= random", "= |")), &["random", "hash", "round_robin"]);
    let labelled = short.replace("    port http { number = 80 }", "    port http = 80, mtls = |");
    assert_eq!(
        labels(&mut client, &labelled.replace(", mtls = |", ", subset v1 = [we|]")),
        ["west", "east", "patience"]
    );
    let said = hover(&mut client, &short.replace("timeout = patience", "time|out = patience"));
    assert!(said.contains("**timeout**") && said.contains("`request = 2s` (declared)"), "{said}");
    assert!(said.contains("`timeout = value` is short for `timeout { request = value }`"), "{said}");
    let said = hover(&mut client, &short.replace("allow = [web]", "allow = [w|eb]"));
    assert!(said.contains("service shop.web"), "{said}");
    let said = hover(&mut client, &short.replace("= random", "= rand|om"));
    assert!(said.contains("`random`"), "{said}");
}

#[test]
fn modules_templates_and_their_parameters_are_completed() {
    let mut client = Client::new();
    has(&labels(&mut client, &format!("use |\n{SHOP}")), &["std.access", "std.resilience", "\"mesh.mesh\""]);
    has(&labels(&mut client, &format!("use std.|\n{SHOP}")), &["access", "resilience"]);
    has(&labels(&mut client, &format!("use std.access {{ | }}\n{SHOP}")), &["only", "nobody"]);
    has(
        &labels(&mut client, &SHOP.replace("apply api(name = \"cart\", target = 3000)", "apply |")),
        &["api"],
    );
    has(&labels(&mut client, &SHOP.replace("target = 3000", "|")), &["name", "target"]);
    let two = SHOP.replace("template api(name: string, ", "template api(place: cluster, name: string, ");
    assert_ne!(two, SHOP);
    let in_place = labels(&mut client, &two.replace("api(name = \"cart\", target = 3000)", "api(|)"));
    has(&in_place, &["west", "east", "patience", "target"]);
    let behind =
        labels(&mut client, &two.replace("api(name = \"cart\", target = 3000)", "api(target = 1, w|)"));
    assert!(!behind.iter().any(|label| label == "west"), "{behind:?}");
    let resilience =
        format!("use std.resilience\n{SHOP}").replace("timeout { request = patience }", "apply resilience.|");
    has(&labels(&mut client, &resilience), &["standard", "quick"]);
    has(&labels(&mut client, &format!("{SHOP}\nfor c in |")), &["clusters", "services", "patience"]);
    has(&labels(&mut client, &format!("{SHOP}\ninput a: |")), &["integer", "one_of", "cluster"]);
}

#[test]
fn nothing_is_completed_in_comments_and_texts() {
    let mut client = Client::new();
    assert_eq!(labels(&mut client, &format!("// a comment |\n{SHOP}")), [""; 0]);
    assert_eq!(labels(&mut client, &SHOP.replace("\"cart\"", "\"ca|rt\"")), [""; 0]);
}

#[test]
fn hover_says_type_meaning_value_and_where_it_is_from() {
    let mut client = Client::new();
    let said = hover(&mut client, &SHOP.replace("request = patience", "req|uest = patience"));
    assert!(said.contains("duration") && said.contains("`request = 2s` (declared)"), "{said}");
    let said = hover(&mut client, &SHOP.replace("[cart, pay", "[ca|rt, pay"));
    assert!(
        said.contains("service shop.cart") && said.contains("template `api`") && said.contains("3000"),
        "{said}"
    );
    let said = hover(&mut client, &SHOP.replace("service web {", "service we|b {"));
    assert!(said.contains("The front of the shop.") && said.contains("policy `shop.web`"), "{said}");
    let said = hover(&mut client, &SHOP.replace("= patience", "= pati|ence"));
    assert!(said.contains("let patience = 2s") && said.contains("How long anybody waits."), "{said}");
    let said = hover(&mut client, &SHOP.replace("namespace shop", "name|space shop"));
    assert!(said.contains("**namespace**"), "{said}");
    let slow = "policy slow { retry { attempts = 1, max_ba|ck_off = 1s } }\n";
    let said = hover(&mut client, &format!("{SHOP}{slow}"));
    assert!(said.contains("- `back_off` is at most `max_back_off`: "), "{said}");
    assert!(!said.contains("hedge = true"), "{said}");
}

#[test]
fn names_and_hover_stay_when_a_brace_is_missing() {
    let mut client = Client::new();
    let broken = SHOP
        .replace("    port http { number = 80 }\n  }\n  apply", "    port http { number = 80\n  }\n  apply");
    let said = hover(&mut client, &broken.replace("[cart, pay.cards]", "[cart, pay.ca|rds]"));
    assert!(said.contains("service pay.cards"), "{said}");
    has(&labels(&mut client, &broken.replace("[cart, pay.cards]", "[|]")), &["web", "pay.cards"]);
}

#[test]
fn definitions_lead_to_other_files_and_into_the_standard_library() {
    let mut client = Client::new();
    let go = |client: &mut Client, path: &str, marked: &str| {
        lines(&client.ask_at("textDocument/definition", path, marked, json!({})))
    };
    assert_eq!(go(&mut client, PART, &SHOP.replace("pay.cards", "pay.ca|rds")), [("mesh.mesh".into(), 11)]);
    assert_eq!(go(&mut client, PART, &SHOP.replace("= patience", "= |patience")), [("shop.mesh".into(), 2)]);
    assert_eq!(go(&mut client, PART, &SHOP.replace("apply api", "apply a|pi")), [("shop.mesh".into(), 4)]);
    assert_eq!(
        go(&mut client, PART, &SHOP.replace("target = 3000", "tar|get = 3000")),
        [("shop.mesh".into(), 4)]
    );
    client.change(PART, 900, SHOP);
    let found = go(&mut client, ENTRY, &MESH.replace("clusters.front", "clusters.fr|ont"));
    assert_eq!(found[0].0, "clusters.mesh");
    let found = go(&mut client, ENTRY, &MESH.replace("\"shop.mesh\"", "\"shop.|mesh\""));
    assert_eq!(found, [("shop.mesh".into(), 1)]);
}

#[test]
fn references_are_found_in_every_file() {
    let mut client = Client::new();
    let context = json!({ "context": { "includeDeclaration": true } });
    let marked = SHOP.replace("pay.cards", "pay.ca|rds");
    let found = lines(&client.ask_at("textDocument/references", PART, &marked, context.clone()));
    assert_eq!(found, [("mesh.mesh".into(), 11), ("shop.mesh".into(), 15)]);
    // In a template, also where nothing applies it.
    let unapplied = SHOP.replace("  apply api(name = \"cart\", target = 3000)\n", "").replace("[cart, ", "[");
    let marked = unapplied.replacen("clusters = [west]\n    calls", "clusters = [we|st]\n    calls", 1);
    let found = lines(&client.ask_at("textDocument/references", PART, &marked, context));
    let places: Vec<_> = found.iter().map(|(file, line)| format!("{file}:{line}")).collect();
    assert!(places.contains(&String::from("shop.mesh:6")), "{places:?}");
    let marked = SHOP.replace("request = patience", "request = pati|ence");
    let found = client.ask_at("textDocument/documentHighlight", PART, &marked, json!({}));
    assert_eq!(found.as_array().unwrap().len(), 2);
}

#[test]
fn calls_go_both_ways() {
    let mut client = Client::new();
    let items = client.ask_at(
        "textDocument/prepareCallHierarchy",
        PART,
        &SHOP.replace("service web", "service w|eb"),
        json!({}),
    );
    assert_eq!(items[0]["name"], "shop.web");
    let called = client.ask("callHierarchy/outgoingCalls", json!({ "item": items[0] }));
    let names: Vec<_> =
        called.as_array().unwrap().iter().map(|call| call["to"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["pay.cards", "shop.cart"]);
    let callers = client.ask("callHierarchy/incomingCalls", json!({ "item": called[0]["to"] }));
    assert_eq!(callers[0]["from"]["name"], "shop.web");
    assert_eq!(callers[0]["fromRanges"][0]["start"]["line"], 14);
    let graph = client.ask("mesh/graph", json!({ "textDocument": { "uri": uri(PART) } }));
    let edges: Vec<_> = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| format!("{}>{}", edge["from"], edge["to"]))
        .collect();
    assert_eq!(
        edges,
        ["\"shop.web\">\"pay.cards\"", "\"shop.web\">\"shop.cart\"", "\"west.ingress\">\"shop.web\""]
    );
    assert!(graph["nodes"].as_array().unwrap().iter().any(|node| node["kind"] == "gateway"));
}

#[test]
fn hints_show_defaults_addresses_and_orders() {
    let mut client = Client::new();
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let params = json!({ "textDocument": { "uri": uri(PART) }, "range": range });
    let hints = client.ask("textDocument/inlayHint", params);
    let texts: Vec<_> =
        hints.as_array().unwrap().iter().map(|hint| hint["label"].as_str().unwrap()).collect();
    assert!(texts.iter().any(|text| text.contains("protocol = http")), "{texts:?}");
    assert!(texts.contains(&"(west: west, then east)"), "{texts:?}");
    let params = json!({ "textDocument": { "uri": uri(ENTRY) }, "range": range_of(MESH) });
    let hints = client.ask("textDocument/inlayHint", params);
    let texts: Vec<_> =
        hints.as_array().unwrap().iter().map(|hint| hint["label"].as_str().unwrap()).collect();
    assert!(texts.iter().any(|text| text.parse::<std::net::IpAddr>().is_ok()), "{texts:?}");
}

fn range_of(text: &str) -> Value {
    json!({ "start": { "line": 0, "character": 0 }, "end": { "line": text.lines().count(), "character": 0 } })
}

#[test]
fn symbols_and_tokens_are_there() {
    let mut client = Client::new();
    client.settle();
    let found = client.ask("workspace/symbol", json!({ "query": "card" }));
    assert_eq!(found[0]["name"], "cards");
    let found = client.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": uri(PART) } }));
    let names: Vec<_> =
        found.as_array().unwrap().iter().map(|symbol| symbol["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["patience", "api", "shop"]);
    let found =
        client.ask("textDocument/semanticTokens/full", json!({ "textDocument": { "uri": uri(PART) } }));
    let data = found["data"].as_array().unwrap();
    assert!(data.len().is_multiple_of(5) && data.len() > 200, "{}", data.len());
}

#[test]
fn lenses_lead_to_what_is_generated() {
    let files = [
        ("/work/mesh.mesh", MESH),
        ("/work/shop.mesh", SHOP),
        ("/work/out/west/sidecars/shop/web/config/meshd.json", "{}"),
    ];
    let mut client = Client::with(&files, json!({}));
    client.open(PART, SHOP);
    let lenses = client.ask("textDocument/codeLens", json!({ "textDocument": { "uri": uri(PART) } }));
    let lens = lenses
        .as_array()
        .unwrap()
        .iter()
        .find(|lens| lens["command"]["title"] == "generated files of shop.web")
        .unwrap();
    let command = |lens: &Value| json!({ "command": lens["command"]["command"], "arguments": lens["command"]["arguments"] });
    client.ask("workspace/executeCommand", command(lens));
    let told = format!("{:?}", client.told);
    assert!(
        told.contains("window/showDocument")
            && told.contains("/work/out/west/sidecars/shop/web/config/meshd.json"),
        "{told}"
    );
    let other = lenses
        .as_array()
        .unwrap()
        .iter()
        .find(|lens| lens["command"]["title"] == "generated files of shop.cart")
        .unwrap();
    client.told.clear();
    client.ask("workspace/executeCommand", command(other));
    assert!(format!("{:?}", client.told).contains("run meshc build"));
}

#[test]
fn a_lens_runs_a_test_over_what_is_in_the_editor() {
    let tested =
        |expected: &str| format!("{MESH}\ntest \"the front\" {{ {expected} = [shop.web -> shop.cart] }}\n");
    let mut client = Client::with(&[("/work/mesh.mesh", MESH), ("/work/shop.mesh", SHOP)], json!({}));
    client.open(ENTRY, &tested("allow"));
    let lenses = client.ask("textDocument/codeLens", json!({ "textDocument": { "uri": uri(ENTRY) } }));
    let lens = lenses.as_array().unwrap().iter().find(|lens| lens["command"]["title"] == "run this test");
    let command = &lens.unwrap()["command"];
    let params = json!({ "command": command["command"], "arguments": command["arguments"] });
    assert_eq!(command["arguments"][1], "the front");
    let result = client.ask("workspace/executeCommand", params.clone());
    assert_eq!(result, json!({ "passed": true, "expectations": 1, "findings": [] }));
    assert!(format!("{:?}", client.told).contains("passed: the front"));
    client.change(ENTRY, 2, &tested("deny"));
    client.told.clear();
    let result = client.ask("workspace/executeCommand", params.clone());
    assert_eq!(
        (&result["passed"], &result["findings"][0]["code"]),
        (&false.into(), &"E0810".into()),
        "{result}"
    );
    assert_eq!(result["findings"][0]["location"]["uri"], uri(ENTRY));
    let told = format!("{:?}", client.told);
    assert!(told.contains("failed: the front") && told.contains("is not refused"), "{told}");
    client.change(ENTRY, 3, &tested("deny").replace("shop.cart]", "shop.cast]"));
    assert_eq!(client.ask("workspace/executeCommand", params), Value::Null, "the mesh has a mistake");
}
