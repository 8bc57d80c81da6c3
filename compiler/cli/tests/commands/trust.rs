//! `meshc trust` as a process: the key directory, its modes, and what openssl says about the chains.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

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
    let directory = directory();
    directory.succeed(&["trust", "init", "mesh.mesh"]);
    directory.succeed(&["trust", "issue", "mesh.mesh"]);
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
