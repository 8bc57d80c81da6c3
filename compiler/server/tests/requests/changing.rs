//! Rename, formatting and fixes: the text afterwards.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Client, MESH, SHOP, at, uri};

const ENTRY: &str = "/work/mesh.mesh";
const PART: &str = "/work/shop.mesh";

/// A text with the edits of a client.
fn edited(text: &str, edits: &Value) -> String {
    let offset = |place: &Value| {
        let number = |key: &str| usize::try_from(place[key].as_u64().unwrap()).unwrap();
        let line: usize = text.split_inclusive('\n').take(number("line")).map(str::len).sum();
        assert!(text.is_ascii(), "columns are bytes in these texts");
        line + number("character")
    };
    let mut edits: Vec<_> = edits.as_array().unwrap().iter().collect();
    edits.sort_by_key(|edit| offset(&edit["range"]["start"]));
    let mut after = text.to_owned();
    for edit in edits.into_iter().rev() {
        let (start, end) = (offset(&edit["range"]["start"]), offset(&edit["range"]["end"]));
        after.replace_range(start..end, edit["newText"].as_str().unwrap());
    }
    after
}

fn renamed(
    client: &mut Client,
    path: &str,
    marked: &str,
    new: &str,
) -> Result<BTreeMap<String, String>, String> {
    let (params, text) = at(path, marked, json!({ "newName": new }));
    client.change(path, 700, &text);
    let id = client.post("textDocument/rename", params);
    let edit = client.answer(id).map_err(|(_, message)| message)?;
    let texts = [(ENTRY, MESH), (PART, SHOP)].map(|(other, before)| {
        let before = if other == path { text.as_str() } else { before };
        let edits = &edit["changes"][uri(other)];
        (other.to_owned(), if edits.is_null() { before.to_owned() } else { edited(before, edits) })
    });
    Ok(texts.into_iter().collect())
}

#[test]
fn a_new_name_is_everywhere() {
    let mut client = Client::new();
    let after = renamed(&mut client, PART, &SHOP.replace("pay.cards", "pay.ca|rds"), "visa").unwrap();
    assert_eq!(after[ENTRY], MESH.replace("service cards", "service visa"));
    assert_eq!(after[PART], SHOP.replace("pay.cards", "pay.visa"));
    let after = renamed(&mut client, PART, &SHOP.replace("name: string", "na|me: string"), "called").unwrap();
    let expected = SHOP
        .replace("(name: ", "(called: ")
        .replace("${name}", "${called}")
        .replace("(name = ", "(called = ");
    assert_eq!(after[PART], expected);
    // The value of a block that is written by it.
    let short = SHOP.replace("timeout { request = patience }", "timeout = patience, allow = [cart]");
    let after = renamed(&mut client, PART, &short.replace("= patience,", "= pati|ence,"), "calm").unwrap();
    assert_eq!(after[PART], short.replace("patience", "calm"));
}

#[test]
fn a_name_that_would_not_work_is_refused() {
    let mut client = Client::new();
    let mut refused = |marked: &str, new: &str| renamed(&mut client, PART, marked, new).unwrap_err();
    let marked = SHOP.replace("service web", "service w|eb");
    assert!(refused(&marked, "cart").contains("with this name the mesh has an error"), "a clash");
    // A name alone that has to be quoted would be a string.
    assert!(refused(&marked, "not a name").contains("with this name the mesh has an error"));
    assert!(refused(&marked, "a\"b").contains("cannot be a name"));
    assert!(refused(&marked, "2nd").contains("with this name the mesh has an error"));
    assert!(refused(&SHOP.replace("[cart,", "[ca|rt,"), "x").contains("put together from others"));
    assert!(refused(&SHOP.replace("let patience", "let pati|ence"), "a b").contains("cannot be a name"));
}

#[test]
fn formatting_changes_what_has_to_change() {
    let mut client = Client::new();
    client.change(PART, 2, &SHOP.replace("    calls    = [", "  calls=[ "));
    let params =
        json!({ "textDocument": { "uri": uri(PART) }, "options": { "tabSize": 2, "insertSpaces": true } });
    let edits = client.ask("textDocument/formatting", params.clone());
    assert_eq!(edited(&SHOP.replace("    calls    = [", "  calls=[ "), &edits), SHOP);
    client.change(PART, 3, "namespace {{{");
    assert_eq!(client.ask("textDocument/formatting", params), Value::Null);
}

#[test]
fn a_fix_is_offered_where_it_works() {
    let mut client = Client::new();
    let wrong = SHOP.replace("targets = [web]", "target = [web]");
    client.change(PART, 2, &wrong);
    let line = wrong.lines().position(|line| line.contains("target = [web]")).unwrap();
    let range = json!({ "start": { "line": line, "character": 4 }, "end": { "line": line, "character": 4 } });
    let params =
        json!({ "textDocument": { "uri": uri(PART) }, "range": range, "context": { "diagnostics": [] } });
    let actions = client.ask("textDocument/codeAction", params);
    let titles: Vec<_> =
        actions.as_array().unwrap().iter().map(|action| action["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["write `targets`"]);
    assert_eq!(edited(&wrong, &actions[0]["edit"]["changes"][uri(PART)]), SHOP);
}

#[test]
fn all_safe_fixes_are_one_action() {
    let mut client = Client::new();
    let wrong = MESH.replace("trust_domain = ", "trust_domain: ");
    client.change(ENTRY, 2, &wrong);
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 } });
    let context = json!({ "diagnostics": [], "only": ["source.fixAll"] });
    let params = json!({ "textDocument": { "uri": uri(ENTRY) }, "range": range, "context": context });
    let actions = client.ask("textDocument/codeAction", params);
    assert_eq!(edited(&wrong, &actions[0]["edit"]["changes"][uri(ENTRY)]), MESH);
}
