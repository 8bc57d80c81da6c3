//! `meshc ask`: what it prints, in each format, and how it exits.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::Directory;

const MESH: &str = "\
mesh m { trust_domain = \"cluster.local\", trust = own }
trust own {}
network net {}
cluster one { network = net, region = \"here\" }
namespace app {
  client bot { clusters = [one], calls = [web] }
  client cat { clusters = [one], calls = [web] }
  service web { clusters = [one], port http { number = 80 } }
  policy web {
    targets = [web]
    allow = [bot]
    allow { from = [cat], match { header x-name { exact = \"a b\" } } }
  }
}
";

fn ask(question: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let directory = Directory::new();
    directory.write("a.mesh", MESH);
    let output = directory.run(&[&["ask", question, "a.mesh"], arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn exit_codes_are_those_of_grep_and_one_more() {
    for (question, status, word) in [
        ("can app.bot call app.web", 0, "yes"),
        ("can app.web call app.web", 1, "no"),
        ("can app.cat call app.web", 3, "depends"),
        ("can app.cat call app.web with x-name=a", 1, "no"),
        ("can app.cat call app.web with x-name=\"a b\"", 0, "yes"),
        ("can app.bot call app.web without app.web", 1, "no"),
        ("who can call app.web", 0, "yes"),
        ("who can call app.web without one", 1, "no"),
        ("where does a.example/ go", 1, "no"),
    ] {
        let (code, results, said) = ask(question, &[]);
        assert_eq!((code, said.as_str()), (Some(status), ""), "{question}: {results}");
        assert_eq!(results.lines().next(), Some(word), "{question}: {results}");
    }
    let (code, results, said) = ask("can app.bto call app.web", &[]);
    assert_eq!((code, results.as_str()), (Some(2), ""));
    assert!(said.starts_with("error[E0821]") && said.contains("did you mean `app.bot`?"), "{said}");
    let directory = Directory::new();
    directory.write("a.mesh", "mesh m { trust_domain = 5s }\n");
    assert_eq!(directory.run(&["ask", "what can a.b reach", "a.mesh"]).status.code(), Some(2));
}

#[test]
fn programs_get_an_object_with_reasons() {
    let (code, results, said) = ask("why can app.cat call app.web", &["--format", "json"]);
    assert_eq!((code, said.as_str()), (Some(3), ""));
    let answer: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(answer["answer"], "depends");
    let line = &answer["lines"][0];
    assert_eq!((&line["who"], &line["answer"]), (&"app.cat in one".into(), &"depends".into()));
    let places: Vec<&str> =
        line["reasons"].as_array().unwrap().iter().filter_map(|reason| reason["place"].as_str()).collect();
    assert!(places.contains(&"a.mesh:12") && places.contains(&"std/defaults.mesh:59"), "{results}");
    assert_eq!(answer["tried"], Value::Array(Vec::new()));
}

#[test]
fn a_trace_has_every_condition_with_its_value() {
    let (_, results, _) = ask("trace can app.cat call app.web with x-name=a", &["--format", "json"]);
    let answer: Value = serde_json::from_str(&results).unwrap();
    let tried: Vec<(&str, &str)> = answer["tried"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["text"].as_str().unwrap(), step["met"].as_str().unwrap_or("-")))
        .collect();
    assert!(tried.contains(&("header `x-name` is `a b` (it is `a`)", "no")), "{tried:#?}");
    assert!(
        tried.iter().any(|(text, met)| text.starts_with("rule `allow.web`") && *met == "no"),
        "{tried:#?}"
    );
}

#[test]
fn each_line_of_standard_input_is_a_question() {
    let directory = Directory::new();
    directory.write("a.mesh", MESH);
    let ask = |questions: &str, arguments: &[&str]| {
        let mut command = directory.meshc(&[&["ask", "-", "a.mesh"], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(questions.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (yes, depends, no) =
        ("can app.bot call app.web\n", "can app.cat call app.web\n", "can app.web call app.web\n");
    assert_eq!(ask(yes, &[]).0, Some(0));
    assert_eq!(ask(&[yes, depends].concat(), &[]).0, Some(3));
    assert_eq!(ask(&[yes, depends, "\n", no].concat(), &[]).0, Some(1));
    let (code, results) = ask(&[yes, "can app.x call app.web\n", no].concat(), &["--format", "json"]);
    assert_eq!(code, Some(2));
    let answers: Vec<Value> = results.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let words: Vec<_> = answers.iter().map(|answer| answer["answer"].as_str()).collect();
    assert_eq!(words, [Some("yes"), None, Some("no")]);
    assert_eq!(answers[1]["wrong"][0]["code"], "E0821");
    let mut both = directory.meshc(&["ask", "-", "-"]);
    assert_eq!(both.output().unwrap().status.code(), Some(2));
}

/// What an interpreter of random meshes and running proxies answered otherwise, made small.
#[test]
fn what_random_meshes_have_shown_stays_so() {
    const FOUND: &str = "\
mesh m { trust_domain = \"cluster.local\", trust = own }
trust own {}
network net {}
cluster one { network = net, region = \"here\", gateway in { role = ingress, address = 192.0.2.1, port http = 80 } }
namespace app {
  client bot { clusters = [one], calls = [web] }
  service web { clusters = [one], calls = [other], port http = 80, port admin = 81 }
  service other { clusters = [one], calls = [web], port http = 80 }
  service hidden { clusters = [one], port http = 80 }
  policy web { targets = [web], allow { from = [bot, other, one.in], match { methods = [\"GET\"] } } }
  route named { gateway = one.in, hosts = [\"x.wild.example\"], to = other }
  route wild {
    gateway = one.in
    hosts   = [\"*.wild.example\"]
    rule { match { prefix = \"/none\" }, respond { status = 404 } }
    rule { match { prefix = \"/a\" }, to = web.http }
    rule { match { prefix = \"/a/b\" }, to = hidden }
  }
}
";
    let directory = Directory::new();
    directory.write("a.mesh", FOUND);
    for (question, word, told) in [
        // A name goes before a pattern of the same length.
        ("where does x.wild.example/a go", "yes", "to `app.other`"),
        // An answer of a rule is one, whatever its status is.
        ("where does y.wild.example/none go", "yes", "the gateway answers it with 404"),
        ("where does y.wild.example/else go", "no", "no route takes it: 404"),
        // Another port than the one that a route leads to.
        ("can one.in call app.web.admin", "no", "no route of `one.in` leads to `app.web`"),
        // A rule of which another takes all.
        ("can one.in call app.hidden", "no", "no route"),
        // Where no pod is left, nothing depends on the request, and nobody refuses it.
        ("can app.bot call app.web without app.web", "no", "no pod of `app.web` answers"),
        ("can app.bot call app.web POST / without app.web", "no", "no pod of `app.web` answers"),
        // Nobody is told that they reach themselves.
        ("what can app.web in one reach", "yes", "app.other: directly"),
    ] {
        let output = directory.run(&["ask", question, "a.mesh"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().next(), Some(word), "{question}: {text}{said}");
        assert!(text.contains(told), "{question}: {text}");
        assert!(!(question.starts_with("what") && text.contains("app.web:")), "{question}: {text}");
    }
}

/// What a stranger's questions were answered otherwise than proxies do.
#[test]
fn questions_are_about_what_proxies_see() {
    const FOUND: &str = "\
mesh m { trust_domain = \"cluster.local\", trust = own }
trust own {}
network net {}
cluster one {
  network = net
  region  = \"here\"
  gateway in { role = ingress, address = 192.0.2.1, port http = 80 }
  gateway ew { role = east_west, address = 192.0.2.2 }
}
cluster two { network = net, region = \"there\", gateway ew { role = east_west, address = 192.0.2.3 } }
namespace app {
  client bot { clusters = [one], calls = [web, parts, store] }
  service web { clusters = [one], port http = 80 }
  service open { clusters = [one], port http { number = 80, mtls = permissive } }
  service one { clusters = [one], account = \"twin\", calls = [parts], port http = 80 }
  service shares { clusters = [one], account = \"twin\", port http = 80 }
  service stranger { clusters = [one], port http = 80 }
  service store { clusters = [one], port tcp { number = 5432, protocol = tcp } }
  service parts { clusters = [one, two], port http = 80, subset a { clusters = [one] }, subset b { clusters = [two] } }
  route parts { callee = parts, from = [bot], rule { match { prefix = \"/b\" }, to = parts.b } }
  policy web { targets = [web], allow { from = [bot], hosts = [\"web.app\"] }, deny { from = [bot], match { prefix = \"/new\" } } }
  route edge {
    gateway = one.in
    hosts   = [\"e.example\"]
    rule { match { prefix = \"/doubled\" }, to = parts, rewrite { prefix = \"/\" } }
    rule { match { query \"x\" { exact = \"1\" } }, to = parts }
  }
}
";
    let directory = Directory::new();
    directory.write("a.mesh", FOUND);
    for (question, word, told) in [
        // One spelling of a path.
        ("can app.bot call app.web GET //new/../new with host=web.app", "no", "a rule of `deny` means it"),
        ("can app.bot call app.web GET /x/..;a/%6eew with host=web.app", "no", "a rule of `deny` means it"),
        ("can app.bot call app.web GET /other with host=web.app", "yes", "answered by"),
        (
            "can app.bot call app.web GET /%2F with host=web.app",
            "no",
            "refuses it with 400: its path has an escaped",
        ),
        ("where does e.example/%5c go", "no", "the gateway refuses it with 400: its path"),
        // Those that are let in without a declared call.
        ("who can call app.open", "depends", "app.stranger: `app.stranger in one` declares no call"),
        ("who can call app.parts", "yes", "app.shares: depends: `app.shares in one` declares no call"),
        ("what can app.stranger reach", "depends", "app.open: directly, for some requests"),
        // Hosts as routes and rules have them.
        ("can app.bot call app.web GET / with host=web.app:8080", "yes", "answered by"),
        ("can app.bot call app.web GET / with host=WEB.app.", "yes", "answered by"),
        ("where does e.example.:80/doubled go", "yes", "to `app.parts`"),
        ("where does e.example?x=1 go", "yes", "to `app.parts`"),
        ("where does e.example?x=2 go", "no", "no route takes it"),
        // Methods that nobody forwards; connections have none.
        (
            "can app.bot call app.web FOO / with host=web.app",
            "no",
            "refuses it with 400: proxies forward no such method",
        ),
        (
            "can app.bot call app.web CONNECT / with host=web.app",
            "no",
            "refuses it with 404: no proxy forwards a CONNECT",
        ),
        ("can app.bot call app.web QUERY / with host=web.app", "no", "refuses it with 400: a QUERY needs"),
        ("can app.bot call app.web QUERY / with host=web.app content-type=a/b", "yes", "answered by"),
        ("can app.bot call app.store FOO /", "yes", "answered by"),
        // The subset that answers.
        (
            "can app.bot call app.parts.a GET /b",
            "no",
            "answered by `app.parts.b in two`, not by `app.parts.a`",
        ),
        ("can app.bot call app.parts.b GET /b", "yes", "answered by `app.parts.b in two`"),
        ("can app.bot call app.parts.b GET /", "no", "answered by `app.parts in one`, not by `app.parts.b`"),
        (
            "can app.bot call app.parts.a GET /",
            "depends",
            "by whichever pod is drawn, of `app.parts.a` or not",
        ),
    ] {
        let output = directory.run(&["ask", question, "a.mesh"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().next(), Some(word), "{question}: {text}{said}");
        assert!(text.contains(told), "{question}: {text}");
    }
    for question in ["where does a..b/ go", "can app.bot call app.web GET / with host=u@web.app"] {
        let output = directory.run(&["ask", question, "a.mesh"]);
        assert_eq!(output.status.code(), Some(2), "{question}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("is not a host"), "{question}");
    }
}
