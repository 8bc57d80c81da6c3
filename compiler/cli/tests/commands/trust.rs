//! `meshc trust` as a process: the key directory, its modes, and what openssl says about the chains.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use meshc_pki::{Issuer, KeyDirectory, RootRequest, TrustRequest};

use crate::support::{Directory, contents};

const MESH: &str = "\
mesh small { trust_domain = \"cluster.local\", trust = own }
trust own { issuer = builtin, root { common_name = \"root.example\" } }
network net {}
cluster one { network = net, region = \"here\" }
namespace app {
  service web { clusters = [one], port http { number = 80 } }
}
";

fn directory() -> Directory {
    let directory = Directory::new();
    directory.write("mesh.mesh", MESH);
    directory
}

#[test]
fn issuing_twice_changes_nothing() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    directory.succeed(&["trust", "issue", "mesh.mesh"]);
    let before = contents(&directory.path("keys"));
    let (_, said) = directory.succeed(&["trust", "issue", "mesh.mesh"]);
    assert!(said.contains("nothing changed"), "{said}");
    assert_eq!(contents(&directory.path("keys")), before);
    let (shown, _) = directory.succeed(&["trust", "show", "mesh.mesh"]);
    assert!(shown.contains("spiffe://cluster.local/ns/app/sa/web"), "{shown}");
}

#[test]
fn private_keys_belong_to_their_owner_alone_and_stay_out_of_git() {
    for mask in ["000", "022", "077"] {
        let directory = directory();
        for command in ["init", "issue"] {
            let line =
                format!("umask {mask}; exec {} trust {command} mesh.mesh", env!("CARGO_BIN_EXE_meshc"));
            let mut shell = Command::new("bash");
            let output = shell.args(["-c", &line]).current_dir(directory.path(".")).output().unwrap();
            assert!(output.status.success(), "{mask}: {output:?}");
        }
        private_keys_are_private(&directory);
    }
}

fn private_keys_are_private(directory: &Directory) {
    let keys = directory.path("keys");
    assert_eq!(fs::read_to_string(keys.join(".gitignore")).unwrap(), "*\n");
    let mut private = 0;
    for path in contents(&keys).into_keys() {
        let mode = fs::metadata(keys.join(&path)).unwrap().permissions().mode() & 0o777;
        if path.file_name().is_some_and(|name| name == "key.pem" || name == "tls.key") {
            private += 1;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
    assert_eq!(private, 3, "root, intermediate, workload");
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn openssl_accepts_the_chain() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    directory.succeed(&["trust", "issue", "mesh.mesh"]);
    let keys = directory.path("keys");
    let leaf = keys.join("one/identities/app/web/tls.crt");
    let mut verify = Command::new("openssl");
    verify.arg("verify").arg("-x509_strict").arg("-CAfile").arg(keys.join("roots.pem"));
    verify.arg("-untrusted").arg(keys.join("one/intermediate/chain.pem")).arg(&leaf);
    let output = verify.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn secrets_go_to_standard_output_and_nowhere_else() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    let output = directory.run(&["trust", "export", "mesh.mesh", "--cluster", "one"]);
    assert_eq!(output.status.code(), Some(2), "nothing is issued yet");
    assert!(String::from_utf8(output.stderr).unwrap().contains("meshc trust issue"));
    directory.succeed(&["trust", "issue", "mesh.mesh"]);
    let before = contents(&directory.path("."));
    let (secrets, _) = directory.succeed(&["trust", "export", "mesh.mesh", "--cluster", "one"]);
    assert!(secrets.contains("name: mesh-id-web") && secrets.contains("PRIVATE KEY"));
    let (cacerts, _) = directory.succeed(&["trust", "export", "mesh.mesh", "--cluster", "one", "--cacerts"]);
    for file in ["ca-cert.pem", "ca-key.pem", "root-cert.pem", "cert-chain.pem"] {
        assert!(cacerts.contains(&format!("{file}: |")), "{file}");
    }
    assert_eq!(contents(&directory.path(".")), before);
    let output = directory.run(&["trust", "export", "mesh.mesh", "--cluster", "two"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("it has `one`"));
}

#[test]
fn a_build_takes_the_roots_of_the_key_directory_and_keeps_them_without_it() {
    let directory = directory();
    let (_, said) = directory.succeed(&["build", "mesh.mesh"]);
    assert!(said.contains("W0705"), "{said}");
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    let (_, said) = directory.succeed(&["build", "mesh.mesh"]);
    assert!(!said.contains("W0705"), "{said}");
    let roots = fs::read(directory.path("keys/roots.pem")).unwrap();
    assert_eq!(fs::read(directory.path("out/one/trust/roots.pem")).unwrap(), roots);
    let all = contents(&directory.path("out"));
    assert!(!all.values().any(|bytes| String::from_utf8_lossy(bytes).contains("PRIVATE KEY")));
    fs::remove_dir_all(directory.path("keys")).unwrap();
    directory.succeed(&["build", "mesh.mesh", "--check"]);
}

/// What the command says when it fails as it should.
#[track_caller]
fn refusal(directory: &Directory, status: i32, arguments: &[&str]) -> String {
    let output = directory.run(arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {errors}");
    errors
}

#[test]
fn no_private_key_gets_into_a_tree_through_the_bundle_of_roots() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    let read = |path: &str| fs::read_to_string(directory.path(path)).unwrap();
    let (roots, key) = (read("keys/roots.pem"), read("keys/root/key.pem"));
    directory.write("keys/roots.pem", &format!("{roots}{key}"));
    let said = refusal(&directory, 2, &["build", "mesh.mesh"]);
    assert!(said.contains("`keys/roots.pem`") && said.contains("`PRIVATE KEY` block"), "{said}");
    directory.write("keys/roots.pem", "nothing of the kind\n");
    refusal(&directory, 2, &["build", "mesh.mesh"]);
    assert!(!directory.path("out").exists());
    // What stands between certificates is left out, so half a key is, too.
    directory.write("keys/roots.pem", &format!("a comment\n{roots}-----BEGIN PRIVATE KEY-----\nMIGH\n"));
    directory.succeed(&["build", "mesh.mesh"]);
    assert_eq!(read("out/one/trust/roots.pem"), roots);
}

#[test]
fn roots_that_were_edited_in_the_tree_are_not_taken_over() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    directory.succeed(&["build", "mesh.mesh"]);
    fs::rename(directory.path("keys"), directory.path("away")).unwrap();
    let roots = fs::read_to_string(directory.path("out/one/trust/roots.pem")).unwrap();
    directory.write("out/one/trust/roots.pem", &format!("{roots}{roots}"));
    for more in [&[][..], &["--check"], &["--overwrite-edits"]] {
        let said = refusal(&directory, 1, &[&["build", "mesh.mesh"], more].concat());
        assert!(said.contains("E0701") && said.contains("out/one/trust/roots.pem"), "{said}");
    }
    fs::rename(directory.path("away"), directory.path("keys")).unwrap();
    directory.succeed(&["build", "mesh.mesh", "--overwrite-edits"]);
    assert_eq!(fs::read_to_string(directory.path("out/one/trust/roots.pem")).unwrap(), roots);
}

#[test]
fn a_key_directory_that_is_named_must_be_one() {
    let directory = directory();
    directory.write("file", "");
    for arguments in
        [&["build", "mesh.mesh"][..], &["trust", "init", "mesh.mesh"], &["trust", "show", "mesh.mesh"]]
    {
        let said = refusal(&directory, 2, &[arguments, &["--keys", "file"]].concat());
        assert!(said.contains("`file` is not a directory"), "{said}");
    }
    let said = refusal(&directory, 2, &["build", "mesh.mesh", "--keys", "none"]);
    assert!(said.contains("meshc trust init mesh.mesh"), "{said}");
}

#[test]
fn private_keys_stay_out_of_the_folders_that_are_committed() {
    let directory = directory();
    let said = refusal(&directory, 2, &["build", "mesh.mesh", "--keys", "out/one/keys"]);
    assert!(said.contains("lies in") && said.contains("--keys DIR"), "{said}");
    directory.succeed(&["build", "mesh.mesh"]);
    for command in ["init", "issue"] {
        refusal(&directory, 2, &["trust", command, "mesh.mesh", "--keys", "out/one/keys"]);
    }
    assert!(!directory.path("out/one/keys").exists());
    // The mesh's own folder as the output directory is fine: there the keys lie beside the clusters' folders.
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    directory.succeed(&["build", "mesh.mesh", "-o", "."]);
}

/// Names the key directory, or a place in it, in every way that a path can.
#[test]
fn a_build_into_the_key_directory_is_refused_and_never_waits_for_itself() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    let before = contents(&directory.path("keys"));
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, directory.path(name)).unwrap();
    link("keys", "link");
    link("keys/one", "inner");
    for output in
        ["keys", "./keys/", "link", "keys/one/..", "keys/out", "inner", "inner/new", "link/deep/new"]
    {
        for more in [&[][..], &["--check"]] {
            let said = refusal(&directory, 2, &[&["build", "mesh.mesh", "-o", output], more].concat());
            assert!(said.contains("E0706") && said.contains("the key directory `keys`"), "{output}: {said}");
        }
    }
    // The key directory of another mesh, and the folder of another build.
    directory.succeed(&["trust", "init", "mesh.mesh", "--keys", "other"]);
    let said = refusal(&directory, 2, &["build", "mesh.mesh", "-o", "other/out"]);
    assert!(said.contains("E0706") && said.contains("/other`, which"), "{said}");
    directory.succeed(&["build", "mesh.mesh"]);
    let said = refusal(&directory, 2, &["build", "mesh.mesh", "-o", "out/one/again"]);
    assert!(said.contains("E0706") && said.contains("each build has a directory of its own"), "{said}");
    // The other way round: keys into what a build wrote, by a link too.
    link("out/one", "folder");
    for keys in ["out", "folder/keys", "out/one", "out/.meshc-stage/keys"] {
        let words = ["build", "mesh.mesh", "--keys", keys];
        assert!(refusal(&directory, 2, &words).contains("E0706"), "{keys}");
    }
    for keys in ["out", "folder/keys", "out/one"] {
        for command in ["init", "issue"] {
            let said = refusal(&directory, 2, &["trust", command, "mesh.mesh", "--keys", keys]);
            assert!(said.contains("E0706") && said.contains("--keys DIR"), "{keys}: {said}");
        }
    }
    assert_eq!(contents(&directory.path("keys")), before);
    assert!(!contents(&directory.path("out")).keys().any(|path| path.ends_with("key.pem")));
}

#[test]
fn what_the_user_brings_is_kept_apart_as_well() {
    let directory = directory();
    directory.write("mesh.mesh", &MESH.replace("builtin", "files { directory = \"brought\" }"));
    bring(&directory, 120);
    for output in ["brought", "brought/one/out"] {
        let said = refusal(&directory, 2, &["build", "mesh.mesh", "-o", output]);
        assert!(said.contains("E0706") && said.contains("the directory of `issuer = files`"), "{said}");
    }
    let said = refusal(&directory, 2, &["trust", "init", "mesh.mesh", "--keys", "brought"]);
    assert!(said.contains("what meshc makes and what you bring are kept apart"), "{said}");
    assert!(!directory.path("brought/.gitignore").exists());
}

/// Somebody else may hold the lock for as long as they like: a command says so and ends.
#[test]
fn a_lock_that_is_never_let_go_is_not_waited_for() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    let held = fs::File::open(directory.path("keys")).unwrap();
    held.lock().unwrap();
    for words in
        [&["build", "mesh.mesh"][..], &["trust", "show", "mesh.mesh"], &["trust", "init", "mesh.mesh"]]
    {
        let said = refusal(&directory, 2, words);
        assert!(said.contains("another process is using `keys`"), "{said}");
    }
}

#[test]
fn keys_stay_out_of_git_and_what_git_tracks_is_said() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    for command in ["init", "issue"] {
        fs::remove_file(directory.path("keys/.gitignore")).unwrap();
        let (_, said) = directory.succeed(&["trust", command, "mesh.mesh"]);
        assert!(said.contains("wrote keys/.gitignore: it was not there"), "{said}");
        assert_eq!(fs::read_to_string(directory.path("keys/.gitignore")).unwrap(), "*\n");
    }
    let git = |words: &[&str]| {
        let output = Command::new("git").args(words).current_dir(directory.path(".")).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    let (_, said) = directory.succeed(&["trust", "show", "mesh.mesh"]);
    assert!(!said.contains("W0707"), "nothing of it is tracked: {said}");
    git(&["add", "--force", "keys"]);
    let export = ["trust", "export", "mesh.mesh", "--cluster", "one"];
    for words in [
        &["trust", "init", "mesh.mesh"][..],
        &["trust", "issue", "mesh.mesh"],
        &export,
        &["build", "mesh.mesh"],
    ] {
        let (_, said) = directory.succeed(words);
        assert!(said.contains("W0707") && said.contains("` and 2 more"), "{words:?}: {said}");
        assert!(said.contains("git rm --cached -r keys`"), "{said}");
    }
    git(&["rm", "--quiet", "--cached", "-r", "keys"]);
    let (_, said) = directory.succeed(&["build", "mesh.mesh"]);
    assert!(!said.contains("W0707"), "{said}");
}

#[test]
fn programs_can_read_what_there_is() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    directory.succeed(&["trust", "issue", "mesh.mesh"]);
    let words = ["trust", "show", "mesh.mesh", "--format", "json"];
    let (text, _) = directory.succeed(&words);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["healthy"], true, "{text}");
    let levels: Vec<_> = report["certificates"].as_array().unwrap().iter().map(|one| &one["level"]).collect();
    assert_eq!(levels, ["root", "intermediate", "workload"]);
    let workload = &report["certificates"][2];
    assert_eq!(workload["subject"], "spiffe://cluster.local/ns/app/sa/web");
    assert_eq!(workload["path"], "one/identities/app/web/tls.crt");
    assert!(matches!(workload["days_left"].as_i64(), Some(89 | 90)), "{workload}");
    assert_eq!(workload["problems"], serde_json::json!([]));
    let life = workload["not_after"].as_i64().unwrap() - workload["not_before"].as_i64().unwrap();
    assert_eq!(life, 90 * 24 * 3600 + 300);
    fs::remove_file(directory.path("keys/one/identities/app/web/tls.crt")).unwrap();
    let output = directory.run(&words);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["healthy"], &report["certificates"][2]["problems"][0]),
        (&false.into(), &"missing".into())
    );
    assert!(report["certificates"][2]["not_after"].is_null());
    assert_eq!(report["unused"], serde_json::json!([]));
}

#[test]
fn killed_at_any_moment_the_keys_are_the_old_ones_or_the_new_ones() {
    let began = Instant::now();
    let whole = directory();
    whole.succeed(&["trust", "init", "mesh.mesh"]);
    let once = began.elapsed();
    let rounds = 30;
    for round in 0..rounds {
        let directory = directory();
        for command in ["init", "issue"] {
            let mut child =
                directory.meshc(&["trust", command, "mesh.mesh"]).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(once * round / rounds);
            child.kill().unwrap();
            child.wait().unwrap();
            // A private key is never there without what keeps it out of git.
            let keys = directory.path("keys");
            if keys.exists() && !contents(&keys).is_empty() && !keys.join(".gitignore").exists() {
                let only = contents(&keys).into_keys().all(|path| path.to_string_lossy().contains("-file"));
                assert!(only, "round {round}: {:?}", contents(&keys).keys());
            }
            directory.succeed(&["trust", command, "mesh.mesh"]);
            let left = contents(&keys).into_keys().find(|path| path.to_string_lossy().contains(".meshc-"));
            assert_eq!(left, None, "round {round}");
        }
        directory.succeed(&["trust", "show", "mesh.mesh"]);
    }
}

#[test]
fn issuing_takes_exposed_keys_back() {
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    directory.succeed(&["trust", "issue", "mesh.mesh"]);
    let key = directory.path("keys/one/intermediate/key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(directory.run(&["trust", "show", "mesh.mesh"]).status.code(), Some(1));
    let (_, said) = directory.succeed(&["trust", "issue", "mesh.mesh"]);
    assert!(said.contains("one/intermediate/key.pem: others than its owner could read it"), "{said}");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    directory.succeed(&["trust", "show", "mesh.mesh"]);
}

#[test]
fn issuing_warns_of_what_it_does_not_renew() {
    let directory = directory();
    let day = Duration::from_secs(24 * 3600);
    let request = TrustRequest {
        issuer: Issuer::Builtin,
        root: RootRequest { common_name: String::from("root.example"), lifetime: 400 * day },
        intermediate_lifetime: 365 * day,
        workload_lifetime: 90 * day,
        clusters: Vec::new(),
    };
    let old = meshc_pki::init(&request, &KeyDirectory::new(), SystemTime::now() - 300 * day).unwrap();
    for (path, file) in old.directory.iter() {
        directory.write(&format!("keys/{path}"), &String::from_utf8(file.bytes.clone()).unwrap());
    }
    let (_, said) = directory.succeed(&["trust", "issue", "mesh.mesh"]);
    assert!(
        said.contains("warning: `keys/roots.pem`, CN=root.example: less than a third of its life left"),
        "{said}"
    );
    let (_, said) = directory.succeed(&["trust", "issue", "mesh.mesh", "--error-format", "json"]);
    let records: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.iter().any(|record| record["severity"] == "warning"), "{said}");
    let shown = directory.run(&["trust", "show", "mesh.mesh"]);
    assert_eq!(shown.status.code(), Some(1));
}

/// A certificate authority made by openssl: a root and an intermediate for the cluster `one`.
fn bring(directory: &Directory, days: u32) {
    fs::create_dir_all(directory.path("brought/one")).unwrap();
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        let output = command.current_dir(directory.path("brought")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days"];
    let authority = ["-addext", "keyUsage=critical,keyCertSign"];
    let root = ["req", "-x509", "-subj", "/CN=company", "-keyout", "root.key", "-out", "roots.pem"];
    openssl(&[&root[..], &new, &["1000"], &authority].concat());
    let signed =
        ["-CA", "roots.pem", "-CAkey", "root.key", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0"];
    let one = ["req", "-x509", "-subj", "/CN=one", "-keyout", "one/key.pem", "-out", "one/cert.pem"];
    openssl(&[&one[..], &new, &[&days.to_string()], &authority, &signed].concat());
}

#[test]
fn intermediates_of_the_user_s_own_are_verified_and_used() {
    let directory = directory();
    directory.write("mesh.mesh", &MESH.replace("builtin", "files { directory = \"brought\" }"));
    let said = refusal(&directory, 2, &["trust", "init", "mesh.mesh"]);
    for file in ["roots.pem", "one/cert.pem", "one/key.pem"] {
        assert!(said.contains(&format!("cannot read `brought/{file}`: ")), "{said}");
    }
    bring(&directory, 30);
    let said = refusal(&directory, 1, &["trust", "init", "mesh.mesh"]);
    assert!(said.contains("days left, but workload certificates are to live 90 days"), "{said}");
    assert!(!directory.path("keys").exists());
    bring(&directory, 120);
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    directory.succeed(&["trust", "issue", "mesh.mesh"]);
    directory.succeed(&["trust", "show", "mesh.mesh"]);
    let before = contents(&directory.path("keys"));
    directory.succeed(&["trust", "issue", "mesh.mesh"]);
    assert_eq!(contents(&directory.path("keys")), before);
    let key = fs::read(directory.path("brought/root.key")).unwrap();
    fs::write(directory.path("brought/one/key.pem"), key).unwrap();
    let said = refusal(&directory, 1, &["trust", "issue", "mesh.mesh"]);
    assert!(said.contains("does not belong to the certificate in `brought/one/cert.pem`"), "{said}");
    assert_eq!(contents(&directory.path("keys")), before);
}
