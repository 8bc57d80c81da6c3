//! `meshc diff`: files and revisions, formats, and how it exits.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::Directory;

const MESH: &str = "\
use \"part.mesh\" { net }
mesh m = \"m.example\"
apply net()
namespace app {
  client bot { clusters = [one], calls = [web] }
  service web { clusters = [one], port http { number = 80 } }
  service log { clusters = [one], port http { number = 80 } }
  policy slow { timeout = 5s }
}
";

const PART: &str = "\
template net() {
  network net {}
  cluster one { network = net, region = \"here\" }
}
";

fn directory() -> Directory {
    let directory = Directory::new();
    directory.write("mesh.mesh", MESH);
    directory.write("part.mesh", PART);
    directory
}

fn git(directory: &Directory, arguments: &[&str]) {
    let mut git = Command::new("git");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "test").env(format!("GIT_{who}_EMAIL"), "test@example.org");
    }
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.args(arguments).current_dir(directory.path(".")).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// A repository with the mesh in its first revision.
pub(crate) fn repository(directory: &Directory) {
    git(directory, &["init", "--quiet", "--initial-branch", "main", "."]);
    git(directory, &["add", "."]);
    git(directory, &["commit", "--quiet", "--allow-empty", "--message", "first"]);
}

fn told(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn two_files_in_each_format() {
    let directory = directory();
    directory.write("new.mesh", &MESH.replace("calls = [web]", "calls = [web, log]").replace("5s", "6s"));
    let (text, said) = directory.succeed(&["diff", "mesh.mesh", "new.mesh"]);
    assert_eq!(said, "");
    let expected = "widened access:
  app.bot -> app.log
    may call: any request (new)
    can app.bot call app.log GET /
      before: no: app.bot in one: `app.bot in one` declares no call of `app.log`
      after:  yes: app.bot in one: answered by `app.log in one`
timeouts:
  app.bot -> app.web
    timeout: 5s -> 6s
    can app.bot call app.web GET /
      before: 5s
      after:  6s
proxies:
  pods restart: one/sidecars/app/bot
  configuration is reloaded: one/sidecars/app/log
  untouched: 1
";
    assert_eq!(text, expected);
    let (json, _) = directory.succeed(&["diff", "mesh.mesh", "new.mesh", "-o", "json"]);
    let comparison: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(comparison["effects"][0]["kind"], "widened-access");
    assert_eq!(comparison["effects"][0]["witness"]["question"], "can app.bot call app.log GET /");
    assert_eq!(comparison["proxies"]["restarted"][0], "one/sidecars/app/bot");
    let (markdown, _) = directory.succeed(&["diff", "mesh.mesh", "new.mesh", "-o", "markdown"]);
    assert!(markdown.starts_with("### What this change of the mesh does\n"), "{markdown}");
    assert!(
        markdown.contains("| widened access | `app.bot -> app.log`: may call | – | any request |\n"),
        "{markdown}"
    );
}

#[test]
fn the_exit_code_is_by_kind() {
    let directory = directory();
    directory.write("new.mesh", &MESH.replace("5s", "6s"));
    let exit = |fail_on: &[&str]| {
        directory.run(&[&["diff", "mesh.mesh", "new.mesh"], fail_on].concat()).status.code()
    };
    assert_eq!(exit(&[]), Some(0));
    assert_eq!(exit(&["--fail-on", "widened-access,exposure"]), Some(0));
    assert_eq!(exit(&["--fail-on", "widened-access,timeouts"]), Some(1));
    assert_eq!(exit(&["--fail-on", "exposure", "--fail-on", "any"]), Some(1));
    assert_eq!(exit(&["--fail-on", "everything"]), Some(2));
    assert_eq!(exit(&["--fail-on", "widened-access, timeouts"]), Some(1));
}

#[test]
fn a_side_with_errors_is_shown_and_ends_it() {
    let directory = directory();
    directory.write("new.mesh", &MESH.replace("calls = [web]", "calls = [wbe]"));
    let (code, text, said) = told(directory.run(&["diff", "mesh.mesh", "new.mesh"]));
    assert_eq!((code, text.as_str()), (Some(2), ""));
    assert!(said.contains("error[E0114]") || said.contains("wbe"), "{said}");
    assert!(said.contains("`new.mesh` has errors, so there is nothing to compare"), "{said}");
}

#[test]
fn a_revision_is_read_with_all_that_it_uses() {
    let directory = directory();
    repository(&directory);
    // What is on the disk, uncommitted, is no part of the revision.
    directory.write("part.mesh", &PART.replace("here", "there"));
    let (text, _) = directory.succeed(&["diff", "main:", "mesh.mesh"]);
    assert!(text.contains("locality: here/ -> there/"), "{text}");
    git(&directory, &["commit", "--quiet", "--all", "--message", "second"]);
    for (old, new) in
        [("HEAD~1:mesh.mesh", "HEAD:mesh.mesh"), ("HEAD~1:", "main:"), ("main~:./mesh.mesh", ".")]
    {
        let (text, _) = directory.succeed(&["diff", old, new]);
        assert!(text.contains("locality: here/ -> there/"), "{old} {new}: {text}");
    }
    let (text, _) = directory.succeed(&["diff", "HEAD:", "mesh.mesh"]);
    assert_eq!(text, "no effect\nproxies:\n  untouched: 3\n");
    // From a folder below, with a dot from there.
    directory.write("below/nothing", "");
    let mut below = directory.meshc(&["diff", "HEAD:./../mesh.mesh", "HEAD:mesh.mesh"]);
    let (code, text, said) = told(below.current_dir(directory.path("below")).output().unwrap());
    assert_eq!(code, Some(0), "{text}{said}");
}

#[test]
fn what_is_no_revision_is_refused_and_nothing_of_a_repository_runs() {
    let directory = directory();
    repository(&directory);
    // A file whose name looks like a revision is a file, if there is no such revision.
    directory.write("mine:mesh.mesh", &MESH.replace("5s", "7s"));
    let (text, _) = directory.succeed(&["diff", "mesh.mesh", "mine:mesh.mesh"]);
    assert!(text.contains("timeout: 5s -> 7s"), "{text}");
    // A link is read as one, and leads out of nothing.
    std::os::unix::fs::symlink("/etc/passwd", directory.path("link.mesh")).unwrap();
    git(&directory, &["add", "link.mesh"]);
    git(&directory, &["commit", "--quiet", "--message", "a link"]);
    // Hooks and helpers that would leave a trace.
    let trace = directory.path("trace");
    let helper = format!("#!/bin/sh\ntouch {}\n", trace.display());
    directory.write("helper", &helper);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path("helper"), mode).unwrap();
    let helper = directory.path("helper").display().to_string();
    for key in ["core.fsmonitor", "core.pager", "core.sshCommand", "diff.external"] {
        git(&directory, &["config", key, &helper]);
    }
    let _ = std::fs::remove_file(&trace);
    for wrong in [
        "none:mesh.mesh",
        "--output=x:mesh.mesh",
        "-h:",
        ":mesh.mesh",
        "HEAD:none.mesh",
        "HEAD:../mesh.mesh",
        "HEAD:/etc/passwd",
        "HEAD:link.mesh",
        "HEAD:.git/config",
    ] {
        let (code, text, said) = told(directory.run(&["diff", "--", "mesh.mesh", wrong]));
        assert_eq!((code, text.as_str()), (Some(2), ""), "{wrong}: {said}");
        assert!(said.starts_with("error: cannot read `"), "{wrong}: {said}");
    }
    directory.succeed(&["diff", "HEAD:mesh.mesh", "mesh.mesh"]);
    assert!(!trace.exists() && !directory.path("x").exists());
}

#[test]
fn a_file_named_as_a_revision_takes_the_place_of_none() {
    let directory = directory();
    repository(&directory);
    let id =
        Command::new("git").args(["rev-parse", "HEAD"]).current_dir(directory.path(".")).output().unwrap();
    let id = String::from_utf8(id.stdout).unwrap().trim().to_owned();
    let new = MESH.replace("calls = [web]", "calls = [web, log]");
    directory.write("mesh.mesh", &new);
    let check = ["--fail-on", "widened-access"];
    for (side, file) in [
        (format!("{id}:mesh.mesh"), format!("{id}:mesh.mesh")),
        (format!("{id}:"), format!("{id}:/mesh.mesh")),
        (String::from("main:mesh.mesh"), String::from("main:mesh.mesh")),
    ] {
        let (code, _, said) = told(directory.run(&[&["diff", &side, "mesh.mesh"], &check[..]].concat()));
        assert_eq!(code, Some(1), "{said}");
        // Whoever proposes the change adds what it would be compared with.
        directory.write(&file, &new);
        directory.write("part.mesh", PART);
        let (code, text, said) = told(directory.run(&[&["diff", &side, "mesh.mesh"], &check[..]].concat()));
        assert_eq!((code, text.as_str()), (Some(2), ""), "{side}: {said}");
        assert!(said.contains(&format!("`./{side}` for the file")), "{said}");
        let of_revision = side.replacen(':', "^0:", 1);
        assert!(said.contains(&format!("`{of_revision}` for the revision")), "{said}");
        let (code, _, said) =
            told(directory.run(&[&["diff", &of_revision, "mesh.mesh"], &check[..]].concat()));
        assert_eq!(code, Some(1), "{said}");
        std::fs::remove_file(directory.path(&file)).unwrap();
        let _ = std::fs::remove_dir(directory.path(&format!("{id}:")));
    }
    // The name of an object that is not there is still none of a file.
    let absent = format!("{}:mesh.mesh", "0123456789".repeat(4));
    directory.write(&absent, &new);
    let (code, _, said) = told(directory.run(&["diff", &absent, "mesh.mesh"]));
    assert!(code == Some(2) && said.contains(" for the file"), "{said}");
    directory.write("main:mesh.mesh", MESH);
    let (text, _) = directory.succeed(&["diff", "./main:mesh.mesh", "mesh.mesh"]);
    assert!(text.contains("may call: any request (new)"), "{text}");
}

#[test]
fn each_side_takes_its_own_values() {
    let directory = directory();
    let mesh = MESH.replace("mesh m", "input limit: duration\nmesh m").replace("5s", "limit");
    directory.write("mesh.mesh", &mesh);
    directory.write("prod.values", "limit = 5s\n");
    repository(&directory);
    directory.write("prod.values", "limit = 9s\n");
    let (text, _) = directory.succeed(&[
        "diff",
        "HEAD:mesh.mesh",
        "mesh.mesh",
        "--old-values",
        "HEAD:prod.values",
        "--new-values",
        "prod.values",
    ]);
    assert!(text.contains("timeout: 5s -> 9s"), "{text}");
    // A side is given an input once.
    let twice = ["diff", "HEAD:", "mesh.mesh", "--values", "HEAD:prod.values", "--new-values", "prod.values"];
    let (code, _, said) = told(directory.run(&twice));
    assert!(code == Some(2) && said.contains("`limit` is given twice"), "{said}");
    // For both, from wherever it is.
    for values in ["prod.values", "HEAD:prod.values"] {
        let (text, _) = directory.succeed(&["diff", "HEAD:mesh.mesh", "mesh.mesh", "--values", values]);
        assert!(text.starts_with("no effect"), "{text}");
    }
    let (code, _, said) =
        told(directory.run(&["diff", "HEAD:", "mesh.mesh", "--values", "HEAD:other.values"]));
    assert!(code == Some(2) && said.contains("`HEAD:other.values`: there is no such file"), "{said}");
}

#[test]
fn a_path_that_a_revision_does_not_have_is_named_with_it() {
    let directory = directory();
    repository(&directory);
    let (code, _, said) = told(directory.run(&["diff", "HEAD:nosuch", "mesh.mesh"]));
    assert_eq!(code, Some(2));
    assert!(said.contains("`HEAD:nosuch`: there is no such file in revision `HEAD`"), "{said}");
}

#[test]
fn whoever_gets_access_is_listed_in_full() {
    let directory = directory();
    let bots: String =
        (0..20).map(|number| format!("  client b{number} {{ clusters = [one], calls = [] }}\n")).collect();
    let old = MESH.replace("  service log", &format!("{bots}  service log"));
    directory.write("old.mesh", &old);
    directory.write("new.mesh", &old.replace("calls = [] }", "calls = [log] }"));
    for format in ["text", "markdown"] {
        let (text, _) = directory.succeed(&["diff", "old.mesh", "new.mesh", "-o", format]);
        for number in 0..20 {
            assert!(text.contains(&format!("app.b{number} -> app.log")), "{text}");
        }
        let (access, _) = text.split_once("proxies").unwrap();
        assert!(!access.contains(" more"), "{text}");
    }
}

#[test]
fn characters_that_are_not_seen_are_shown() {
    let directory = directory();
    let new = MESH.replace(
        "service log {",
        "service log { workload { annotations = { \"a\" = \"\\u{1b}[2J\\nno effect\\u{202e}y\" } },",
    );
    directory.write("new.mesh", &new);
    for format in ["text", "markdown"] {
        let (text, _) = directory.succeed(&["diff", "mesh.mesh", "new.mesh", "-o", format]);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        assert!(text.contains('?') && text.contains('\u{fffd}'), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("no effect")), "{text}");
    }
}

#[test]
fn what_a_mesh_has_written_is_text_in_markdown() {
    let directory = directory();
    let rule = "  policy odd { targets = [web], allow { from = [bot], match { header x { exact = \"a|b `c` <img> [d](e) @all\" } } } }\n";
    let new = MESH.replace("  policy slow", &format!("{rule}  policy slow"));
    assert_ne!(new, MESH);
    directory.write("new.mesh", &new);
    let (markdown, _) = directory.succeed(&["diff", "mesh.mesh", "new.mesh", "-o", "markdown"]);
    for line in markdown.lines().filter(|line| line.starts_with("| narrowed")) {
        assert!(!line.contains("<img>") && line.contains("&lt;img&gt;"), "{line}");
        assert!(
            line.contains("a\\|b \\`c\\`") && line.contains("\\[d\\](e)") && line.contains("\\@all"),
            "{line}"
        );
    }
    assert!(markdown.contains("| narrowed access |"), "{markdown}");
}

#[test]
fn releases_of_envoy_are_compared_for_one_mesh() {
    let directory = directory();
    let limited = MESH.replace(
        "  policy slow {",
        "  policy few { targets = [web], rate_limit { scope = pod, otherwise = 3/h } }\n  policy slow {",
    );
    directory.write("mesh.mesh", &limited);
    let diff = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshc"));
        command.current_dir(directory.path("")).arg("diff").args(arguments);
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    let (status, text, _) = diff(&["--envoy", "1.39.3", "1.40", "mesh.mesh", "--data-plane", "envoy"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.starts_with("settings that Envoy 1.39.3 does not know"), "{text}");
    assert!(text.contains("  retry-after, since 1.40.0\n    1.39.3: nothing is told"), "{text}");
    assert!(
        text.contains("asked for by `rate_limit` (mesh.mesh:8)\n    at one/sidecars/app/web\n"),
        "{text}"
    );
    // The other way the same, but for what is before and after.
    let (status, text, _) = diff(&[
        "--envoy",
        "1.40",
        "1.39.3",
        "mesh.mesh",
        "--data-plane",
        "envoy",
        "-o",
        "json",
        "--fail-on",
        "any",
    ]);
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, Some(1), "{text}");
    let retry_after =
        said["changes"].as_array().unwrap().iter().find(|it| it["name"] == "retry-after").unwrap();
    assert_eq!(
        (&retry_after["kind"], &retry_after["since"]),
        (&Value::from("setting"), &Value::from("1.40.0"))
    );
    assert!(retry_after["after"].as_str().unwrap().starts_with("nothing is told"), "{retry_after}");
    assert_eq!(retry_after["proxies"][0]["proxy"], "one/sidecars/app/web");
    // Within one release, and on meshd, nothing is otherwise.
    for same in [
        &["--envoy", "1.40", "1.40.0", "mesh.mesh"][..],
        &["--envoy", "1.36", "1.40", "mesh.mesh", "--data-plane", "meshd"],
    ] {
        let (status, text, _) = diff(same);
        assert!(status == Some(0) && text.contains("as far as is known"), "{text}");
    }
    let (status, _, said) = diff(&["--envoy", "1.35", "1.40", "mesh.mesh"]);
    assert!(status == Some(2) && said.contains("tried were 1.36.4, "), "{said}");
    let (status, _, said) = diff(&["--envoy", "1.39", "1.40", "mesh.mesh", "--fail-on", "exposure"]);
    assert!(status == Some(2) && said.contains("`--fail-on any` only"), "{said}");
    let (status, _, said) = diff(&["mesh.mesh"]);
    assert!(status == Some(2) && said.contains("<NEW>"), "{said}");
}
