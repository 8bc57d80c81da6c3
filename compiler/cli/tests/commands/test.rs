//! `meshc test`: what it prints, in each format, and how it exits.

use serde_json::Value;

use crate::support::Directory;

/// One test passes, one does not.
const TESTED: &str = "\
mesh m { trust_domain = \"cluster.local\", trust = own }
trust own {}
network net {}
cluster one { network = net, region = \"here\" }
namespace app {
  client bot { clusters = [one], calls = [web] }
  service web { clusters = [one], port http { number = 80 } }
}
test \"bots read\" { allow = [app.bot -> app.web] }
test \"bots do not read\" { deny = [app.bot -> app.web] }
test \"limits\" {
  for s in services { assert s.policy.rate_limit == none and s.clusters == [one] else \"no\" }
}
";

fn test(text: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let directory = Directory::new();
    directory.write("a.mesh", text);
    let output = directory.run(&[&["test", "a.mesh"], arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_line_for_each_test_and_a_finding_for_what_fails() {
    let (status, results, said) = test(TESTED, &[]);
    assert_eq!(status, Some(1), "{said}");
    let expected = "passed  bots read\nfailed  bots do not read\n        `app.bot -> app.web` is not refused\npassed  limits\n3 tests: 2 passed, 1 failed\n";
    assert_eq!(results, expected);
    assert!(said.starts_with("error[E0810]: `app.bot -> app.web` is not refused\n"), "{said}");
    assert!(said.contains("this admits it") && said.ends_with("1 error\n"), "{said}");
}

#[test]
fn only_tests_that_are_wanted_run() {
    let (status, results, said) = test(TESTED, &["--run", "^bots r|limit"]);
    assert_eq!((status, said.as_str()), (Some(0), ""));
    assert_eq!(results, "passed  bots read\npassed  limits\n2 tests: 2 passed, 0 failed\n");
    let (status, results, said) = test(TESTED, &["--run", "cats"]);
    assert_eq!((status, results.as_str()), (Some(2), ""));
    assert_eq!(said, "error: no test has `cats` in its name\n");
    let (status, _, said) = test(TESTED, &["--run", "("]);
    assert_eq!(status, Some(2));
    assert!(said.starts_with("error: `(` is not a regular expression"), "{said}");
}

#[test]
fn programs_get_one_document() {
    let (status, results, said) = test(TESTED, &["--format", "json"]);
    assert_eq!((status, said.as_str()), (Some(1), ""));
    let all: Value = serde_json::from_str(&results).unwrap();
    assert_eq!((&all["passed"], &all["failed"]), (&2.into(), &1.into()));
    let failed = &all["tests"][1];
    assert_eq!((&failed["name"], &failed["place"]), (&"bots do not read".into(), &"a.mesh:10".into()));
    assert_eq!(failed["findings"][0]["code"], "E0810");
    let (_, tap, _) = test(TESTED, &["--format", "tap"]);
    assert!(
        tap.starts_with("TAP version 13\n1..3\nok 1 - bots read\nnot ok 2 - bots do not read\n  ---\n"),
        "{tap}"
    );
}

#[test]
fn mistakes_come_before_tests() {
    let (status, results, said) = test(&TESTED.replace("allow = [app.bot", "allow = [app.bod"), &[]);
    assert_eq!((status, results.as_str()), (Some(1), ""));
    assert!(said.starts_with("error[E0103]"), "{said}");
    let (status, results, said) = test(&TESTED.replace("s.policy.rate_limit", "s.policy.limit"), &[]);
    assert_eq!((status, results.as_str()), (Some(1), ""));
    assert!(said.contains("error[E0801]"), "{said}");
    let without = TESTED.split("test ").next().unwrap();
    assert_eq!(test(without, &[]), (Some(0), String::from("the mesh has no tests\n"), String::new()));
}

#[test]
fn a_mesh_that_does_not_run_is_not_asked() {
    let directory = Directory::new();
    directory.write("a.mesh", TESTED);
    std::fs::create_dir(directory.path("run")).unwrap();
    let ask = |arguments: &[&str]| {
        let mut command = directory.meshc(arguments);
        command.env("XDG_RUNTIME_DIR", directory.path("run")).env_remove("MESH_CONTROL");
        let output = command.output().unwrap();
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let none = String::from("error: no mesh is running\n  help: start it with: meshc up a.mesh\n");
    assert_eq!(ask(&["test", "a.mesh", "--live"]), (Some(2), Vec::new(), none));
    let (status, _, said) = ask(&["test", "a.mesh", "--live", "--data-plane", "meshd"]);
    assert_eq!(status, Some(2));
    assert!(said.contains("cannot be used with"), "{said}");
}
