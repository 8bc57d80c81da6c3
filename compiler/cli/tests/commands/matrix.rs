//! `meshc matrix` and `meshc blast-radius`: what they print, in each format, and how they exit.

use serde_json::Value;

use crate::support::Directory;

const MESH: &str = "\
mesh m { trust_domain = \"cluster.local\", trust = own }
trust own { intermediate { lifetime = 100d } }
network net {}
cluster one {
  network = net
  region  = \"here\"
  gateway in {
    role = ingress
    address = 192.0.2.1
    port https { number = 443, tls { secret = \"shop-tls\" } }
  }
}
namespace app {
  client bot { clusters = [one], calls = [web] }
  service web { clusters = [one], calls = [data.store, rates], port http { number = 80 } }
  external rates { hosts = [\"rates.example\"], port https { number = 443, protocol = tls } }
  route web { gateway = one.in, hosts = [\"shop.example\"], to = web }
}
namespace data {
  service store { clusters = [one], port http { number = 80 } }
  policy store { targets = [store], allow { from = [app.web], match { methods = [\"GET\"] } } }
}
";

fn meshc(arguments: &[&str]) -> (Option<i32>, String, String) {
    let directory = Directory::new();
    directory.write("a.mesh", MESH);
    let output = directory.run(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_matrix_in_each_format() {
    let (code, table, said) = meshc(&["matrix", "a.mesh"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let expected = "            app.rates  app.web  data.store
app.bot     .          yes      .
app.web     yes        .        some
data.store  .          .        .
one.in      .          yes      .
";
    assert_eq!(table, expected);
    let (_, csv, _) = meshc(&["matrix", "a.mesh", "--namespace", "-o", "csv"]);
    assert_eq!(csv, "from,app,app.rates,data\r\napp,yes,yes,some\r\ndata,.,.,.\r\none.in,yes,.,.\r\n");
    let (_, external, _) = meshc(&["matrix", "a.mesh", "--external", "-o", "csv"]);
    assert_eq!(external, "from,app.rates\r\napp.bot,.\r\napp.web,yes\r\ndata.store,.\r\none.in,.\r\n");
    let (_, page, _) = meshc(&["matrix", "a.mesh", "-o", "html"]);
    assert!(page.starts_with("<!doctype html>") && page.contains("<td class=\"some\""), "{page}");
    let (_, json, _) = meshc(&["matrix", "a.mesh", "--identity", "-o", "json"]);
    let matrix: Value = serde_json::from_str(&json).unwrap();
    let calls = matrix["calls"].as_array().unwrap();
    let web = "spiffe://cluster.local/ns/app/sa/web";
    let store = "spiffe://cluster.local/ns/data/sa/store";
    assert!(
        calls.iter().any(|it| it["from"] == web && it["to"] == store && it["answer"] == "some"),
        "{json}"
    );
    assert_eq!(calls.len(), 4, "{json}");
}

#[test]
fn a_key_opens_what_callees_admit() {
    let (code, text, said) = meshc(&["blast-radius", "identity", "app.web", "a.mesh"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(text.contains("  spiffe://cluster.local/ns/app/sa/web\n"), "{text}");
    assert!(text.contains("  data.store (some requests): directly\n  app.rates: directly\n"), "{text}");
    let (_, key, _) = meshc(&["blast-radius", "key", "one", "a.mesh"]);
    assert!(key.contains("  data.store (some requests): as `app.web`\n"), "{key}");
    assert!(key.contains("at most 100 days after it was issued"), "{key}");
    let (_, gateway, _) = meshc(&["blast-radius", "gateway", "one.in", "a.mesh"]);
    assert!(gateway.contains("  data.store (some requests): through app.web -> data.store\n"), "{gateway}");
    let (_, json, _) = meshc(&["blast-radius", "secret", "shop-tls", "a.mesh", "--format", "json"]);
    let opened: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(opened["opens"][0]["who"], "one.in", "{json}");
    assert_eq!(opened["opens"][0]["reasons"][0]["place"], "a.mesh:10", "{json}");
}

#[test]
fn mistakes_have_codes_and_advice() {
    for (kind, name, near) in [
        ("key", "on", "one"),
        ("identity", "app.wev", "app.web"),
        ("gateway", "one.inn", "one.in"),
        ("secret", "shop-tlz", "shop-tls"),
    ] {
        let (code, _, said) = meshc(&["blast-radius", kind, name, "a.mesh"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(
            said.starts_with("error[E0821]") && said.contains(&format!("did you mean `{near}`?")),
            "{said}"
        );
    }
    let (code, _, said) = meshc(&["blast-radius", "identity", "one.in", "a.mesh"]);
    assert!(code == Some(2) && said.starts_with("error[E0822]"), "{said}");
    let directory = Directory::new();
    directory.write("a.mesh", "mesh m { trust_domain = 5s }\n");
    assert_eq!(directory.run(&["matrix", "a.mesh"]).status.code(), Some(1));
    assert_eq!(directory.run(&["blast-radius", "key", "one", "a.mesh"]).status.code(), Some(1));
}

/// A cell is what `can ROW call COLUMN` answers, also where the callee alone lets the caller in, or a route draws subsets.
#[test]
fn a_cell_is_the_answer_of_its_question() {
    const FOUND: &str = "\
mesh m { trust_domain = \"cluster.local\", trust = own }
trust own {}
network net {}
cluster one { network = net, region = \"here\", gateway in { role = ingress, address = 192.0.2.1, port http = 80 } }
namespace app {
  client bot { clusters = [one], calls = [parts] }
  service open { clusters = [one], port http { number = 80, mtls = permissive } }
  service twin { clusters = [one], account = \"bot\", port http = 80 }
  service shares { clusters = [one], account = \"bot\", port http = 80 }
  service parts { clusters = [one], port http = 80, subset a {}, subset b {} }
  policy parts { targets = [parts], deny { from = [everyone], match { prefix = \"/new\" } } }
  route parts {
    callee = parts
    rule { match { path = \"/new\" }, to = parts.a }
    rule { match { path = \"/old\" }, to = parts.b }
    rule { match { path = \"/none\" }, respond { status = 403 } }
  }
  route edge { gateway = one.in, hosts = [\"e.example\"], to = parts.b }
}
";
    let directory = Directory::new();
    directory.write("a.mesh", FOUND);
    let output = directory.run(&["matrix", "a.mesh", "-o", "json"]);
    let matrix: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cell = |from: &str, to: &str| {
        let calls = matrix["calls"].as_array().unwrap();
        let own = calls.iter().find(|call| call["from"] == from && call["to"] == to);
        own.map_or("no", |call| call["answer"].as_str().unwrap()).to_owned()
    };
    let mut some = 0;
    for from in ["app.bot", "app.open", "app.twin", "app.shares", "app.parts", "one.in"] {
        for to in ["app.open", "app.twin", "app.shares", "app.parts"] {
            let output = directory.run(&["ask", &format!("can {from} call {to}"), "a.mesh"]);
            let text = String::from_utf8(output.stdout).unwrap();
            let answer = text.lines().next().unwrap().replace("depends", "some");
            some += usize::from(answer == "some");
            assert_eq!(cell(from, to), answer, "{from} -> {to}: {text}");
        }
    }
    assert_eq!(some, 9);
}
