//! `meshc check`: formats, levels, and fixes that are applied.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Directory, example};

/// A mesh with one warning (W0321) at line 6.
const WARNED: &str = "\
mesh m { trust_domain = \"cluster.local\", trust = own }
trust own { root { common_name = \"root.example\" } }
network net {}
cluster one { network = net, region = \"here\" }
namespace app {
  service web { clusters = [one], port http { number = 80 } }
}
";

fn check(directory: &Directory, arguments: &[&str]) -> (Option<i32>, String) {
    let output = directory.run(&[&["check"], arguments].concat());
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_format_says_the_same() {
    let directory = Directory::new();
    directory.write("a.mesh", WARNED);
    let said = |format: &str| {
        let (status, said) = check(&directory, &["a.mesh", "--error-format", format]);
        assert_eq!(status, Some(0), "{format}");
        said
    };
    let message = "no service calls `app.web` and no route leads to it";
    assert!(said("text").starts_with(&format!("warning[W0321]: {message}\n")));
    assert_eq!(said("short"), format!("a.mesh:6:11: warning[W0321]: {message}\n1 warning\n"));
    let annotation = "::warning file=a.mesh,line=6,endLine=6,col=11,endColumn=13,title=W0321::";
    assert!(said("github").starts_with(&format!("{annotation}{message}%0Ahelp: ")));
    let record: Value = serde_json::from_str(&said("json")).unwrap();
    assert_eq!((&record["code"], &record["message"]), (&"W0321".into(), &message.into()));
    let log: Value = serde_json::from_str(&said("sarif")).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"W0321".into(), &"warning".into()));
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 6);
    assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][0]["id"], "W0321");
}

#[test]
fn a_log_is_one_document_also_where_there_is_nothing_to_say_or_nothing_to_read() {
    let directory = Directory::new();
    fs::copy(example(), directory.path("good.mesh")).unwrap();
    for (arguments, expected) in [(&["check", "good.mesh"][..], 0), (&["check", "none"], 2), (&["check"], 2)]
    {
        let output = directory.run(&[arguments, &["--error-format", "sarif"]].concat());
        assert_eq!(output.status.code(), Some(expected));
        let log: Value = serde_json::from_slice(&output.stderr).unwrap();
        let run = &log["runs"][0];
        assert_eq!(run["results"].as_array().unwrap().len(), 0);
        assert_eq!(run["invocations"][0]["executionSuccessful"], expected == 0);
    }
    let (status, said) = check(&directory, &["good.mesh"]);
    assert_eq!((status, said.as_str()), (Some(0), "good.mesh: no errors, no warnings\n"));
}

#[test]
fn levels_are_set_by_words_and_by_comments() {
    let directory = Directory::new();
    directory.write("a.mesh", WARNED);
    let good = "a.mesh: no errors, no warnings\n";
    let level =
        |arguments: &[&str]| check(&directory, &[&["a.mesh", "--error-format", "short"], arguments].concat());
    assert_eq!(level(&["--allow", "W0321"]), (Some(0), good.into()));
    assert_eq!(level(&["--allow", "warnings"]), (Some(0), good.into()));
    let denied = level(&["--deny", "warnings"]);
    assert!(denied.0 == Some(1) && denied.1.starts_with("a.mesh:6:11: error[W0321]: "), "{denied:?}");
    assert_eq!(level(&["--deny", "warnings", "--warn", "W0321"]).0, Some(0));
    assert_eq!(level(&["--allow", "W0334,W0321"]), (Some(0), good.into()));
    for (word, help) in [("E0301", "only warnings can be allowed"), ("W032", "did you mean `W0321`?")] {
        let (status, said) = level(&["--allow", word]);
        assert!(status == Some(2) && said.contains(help), "{said}");
    }
    let build = directory.run(&["build", "a.mesh", "--deny", "W0705"]);
    assert_eq!(build.status.code(), Some(1), "what only a build finds has a level, too");
    assert!(!directory.path("out").exists());

    let comment = |before: &str, behind: &str| {
        let text = WARNED
            .replace("  service", &format!("{before}  service"))
            .replace("80 } }", &format!("80 }} }}{behind}"));
        directory.write("a.mesh", &text);
        level(&[])
    };
    assert_eq!(comment("", "  // meshc: allow(W0321) by hand"), (Some(0), good.into()));
    assert_eq!(comment("  // meshc: allow(W0321) by hand\n  // and this\n\n", ""), (Some(0), good.into()));
    assert_eq!(comment("// meshc: everywhere deny(warnings)\n", "").0, Some(1));
    assert_eq!(comment("// meshc: everywhere allow(W0321) a fragment\n", ""), (Some(0), good.into()));
    // The command line goes before comments, but does not take an exception back.
    assert_eq!(level(&["--deny", "W0321"]).0, Some(1));
    comment("", "  // meshc: allow(W0321) by hand");
    assert_eq!(level(&["--deny", "warnings"]), (Some(0), good.into()));
}

#[test]
fn safe_fixes_are_shown_and_applied() {
    let directory = Directory::new();
    let wrong = WARNED.replace("trust_domain =", "trust_domain:").replace("network =", "network:");
    directory.write("a.mesh", &wrong);
    let shown = directory.run(&["check", "a.mesh", "--fix", "--diff"]);
    let difference = String::from_utf8(shown.stdout).unwrap();
    assert!(
        difference.contains("-mesh m { trust_domain: ") && difference.contains("+mesh m { trust_domain = ")
    );
    assert_eq!(fs::read_to_string(directory.path("a.mesh")).unwrap(), wrong);
    let (status, said) = check(&directory, &["a.mesh", "--fix"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains("fixed a.mesh:1: E0001: write ` =`\nfixed a.mesh:4: E0001: write ` =`\n"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(directory.path("a.mesh")).unwrap(), WARNED);
    let unused = WARNED.replace("number = 80 } }", "number = 80 } }  // meshc: allow(W0325) old");
    directory.write("a.mesh", &unused);
    check(&directory, &["a.mesh", "--fix"]);
    assert_eq!(fs::read_to_string(directory.path("a.mesh")).unwrap(), WARNED);
}

/// `meshc` with a text on standard input: status, standard output and standard error.
fn with_input(directory: &Directory, arguments: &[&str], text: &str) -> (Option<i32>, String, String) {
    let mut command = directory.meshc(arguments);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn standard_input_is_checked_and_mended() {
    let directory = Directory::new();
    let checked = with_input(&directory, &["check", "-", "--error-format", "short"], WARNED);
    let said = "standard input:6:11: warning[W0321]: no service calls `app.web` and no route leads to it\n1 warning\n";
    assert_eq!(checked, (Some(0), String::new(), said.into()));
    let wrong = WARNED.replace("trust_domain =", "trust_domain:");
    let (status, mended, said) = with_input(&directory, &["check", "-", "--fix"], &wrong);
    assert_eq!((status, mended.as_str()), (Some(0), WARNED), "{said}");
    let (status, _, said) = with_input(&directory, &["up", "-"], WARNED);
    assert!(status == Some(2) && said.contains("standard input is none"), "{said}");
}

#[test]
fn files_that_are_named_or_used_are_mended_together() {
    let directory = Directory::new();
    let head = "use \"parts/app.mesh\"\ninput zone: string\nmesh m { trust_domain: \"cluster.local\", trust = own }\n";
    let more =
        "trust own {}\nnetwork net {}\ncluster one { network: net, region = \"here\", zone = \"a\" }\n";
    let used = "namespace app { service web { clusters: [one], port http { number = 80 } } }\n";
    for (name, text) in [("a.mesh", head), ("b.mesh", more), ("parts/app.mesh", used)] {
        directory.write(name, text);
    }
    let arguments = ["a.mesh", "b.mesh", "-D", "zone=\"a\"", "--fix"];
    let (status, said) = check(&directory, &arguments);
    assert_eq!(status, Some(0), "{said}");
    for (name, text) in [("a.mesh", head), ("b.mesh", more), ("parts/app.mesh", used)] {
        let mended = text.replace("trust_domain:", "trust_domain =");
        let mended = mended.replace("network:", "network =").replace("clusters:", "clusters =");
        assert_eq!(fs::read_to_string(directory.path(name)).unwrap(), mended, "{said}");
    }
    assert_eq!(fs::read_dir(directory.path("parts")).unwrap().count(), 1, "nothing is left over");
}

/// What a kill leaves between two files is read as if all had been written, and the next `--fix` ends it.
#[test]
fn an_interrupted_fix_is_read_as_a_whole_and_ended_by_the_next() {
    let directory = Directory::new();
    let entry = WARNED.replace("mesh m", "use \"parts/more.mesh\"\nmesh m");
    directory.write("a.mesh", &entry.replace("trust_domain =", "trust_domain:"));
    directory.write("parts/more.mesh", "let unused = 1\n");
    let stage = directory.path(".meshc-stage");
    fs::create_dir(&stage).unwrap();
    fs::write(stage.join("0"), &entry).unwrap();
    let journal = |old: &str| {
        format!("{{\"version\":1,\"puts\":[{{\"path\":\"a.mesh\",\"old\":\"{old}\"}}],\"removals\":[]}}")
    };
    let bytes = fs::read(directory.path("a.mesh")).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(stage.join("journal"), journal(&digest)).unwrap();
    let (status, said) = check(&directory, &["a.mesh"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(fs::read(directory.path("a.mesh")).unwrap(), bytes, "reading writes nothing");
    let (status, said) = check(&directory, &["a.mesh", "--fix"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(fs::read_to_string(directory.path("a.mesh")).unwrap(), entry);
    assert!(!stage.exists());
    // Where somebody changed a file meanwhile, nothing is written and everything is kept.
    fs::create_dir(&stage).unwrap();
    fs::write(stage.join("0"), "other").unwrap();
    fs::write(stage.join("journal"), journal(&digest)).unwrap();
    let (status, said) = check(&directory, &["a.mesh", "--fix"]);
    assert!(
        status == Some(2) && said.contains("cannot write `a.mesh`") && said.contains(".meshc-stage"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(directory.path("a.mesh")).unwrap(), entry);
    assert_eq!(check(&directory, &["a.mesh"]).0, Some(0));
}
