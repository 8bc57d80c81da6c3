//! The codes of files and builds, and the list of all codes of the compiler.

use lang_diagnostics::{Code, CodeInfo};

/// A generated file was edited by hand.
pub const EDITED_BY_HAND: Code = Code("E0701");
/// A file that is not ours is where an output file has to go.
pub const FOREIGN_FILE: Code = Code("E0702");
/// A lock file cannot be read.
pub const DAMAGED_LOCK: Code = Code("E0703");
/// The folder belongs to another mesh.
pub const OTHER_MESH: Code = Code("E0704");
/// There are no root certificates.
pub const NO_ROOTS: Code = Code("W0705");
/// Private keys and generated files would share a directory.
pub const DIRECTORIES_OVERLAP: Code = Code("E0706");
/// Git tracks private keys.
pub const TRACKED_KEYS: Code = Code("W0707");
/// A comment for meshc is not understood.
pub const BAD_DIRECTIVE: Code = Code("E0710");
/// A comment allows what is not there.
pub const UNUSED_ALLOWANCE: Code = Code("W0711");
/// A level would lower an error.
pub const LOWERED_ERROR: Code = Code("E0712");
/// A stage ended without a result and without an error: a mistake of meshc.
pub const NO_RESULT: Code = Code("E0902");

/// The codes of this crate.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: EDITED_BY_HAND,
        title: "a generated file was edited by hand",
        explanation: "\
`mesh.lock.json` in each cluster's folder holds the digest of every file that meshc wrote there. This file no longer
has the bytes that meshc wrote, so somebody has changed it, and building again would lose that change.

```console
$ meshc build mesh.mesh -o out
error[E0701]: `west/gateways/ingress/config/listeners.yaml` was edited by hand since meshc wrote it
```

Say what you need in the mesh file, where it is checked together with everything else. If the change was a mistake,
`git checkout` the file, or run `meshc build` with `--overwrite-edits`. The root certificates in `trust/roots.pem` come from
the key directory and from nowhere in the mesh file: without a key directory only `git checkout` brings them back.",
    },
    CodeInfo {
        code: FOREIGN_FILE,
        title: "a file that meshc did not write is in the way",
        explanation: "\
meshc writes a file only where nothing is or where it wrote before, as `mesh.lock.json` in each cluster's folder
says. Here is something else: a file, a directory or a link that no lock file names.

```console
$ echo note > out/west/kustomization.yaml
$ meshc build mesh.mesh -o out
error[E0702]: `west/kustomization.yaml` is in the way and was not written by meshc
```

Move or delete it, or build into another directory with `-o`. If the lock file got lost, take it back from version
control, or delete the cluster's folder and build anew.",
    },
    CodeInfo {
        code: DAMAGED_LOCK,
        title: "a lock file cannot be read",
        explanation: "\
`mesh.lock.json` says which files of a cluster's folder meshc owns. Without it nothing in the folder can be
overwritten or pruned safely, so the build stops. A merge conflict left in the file is the usual cause.

```console
$ head -1 out/west/mesh.lock.json
<<<<<<< HEAD
```

Take either side of the conflict, or delete the whole folder; then build again. The build writes the file anew.",
    },
    CodeInfo {
        code: OTHER_MESH,
        title: "the output folder belongs to another mesh",
        explanation: "\
Each cluster's folder names in `mesh.lock.json` the mesh that it was built from. Two meshes in one output directory
would take each other's files for leftovers and prune them.

```console
$ meshc build staging.mesh -o out      # `out` holds the mesh `production`
```

Build each mesh into a directory of its own with `-o`. If the mesh was renamed, delete the old folder first.",
    },
    CodeInfo {
        code: NO_ROOTS,
        title: "there are no root certificates yet",
        explanation: "\
Every proxy verifies its peers against the roots in the tree's trust bundle (`<cluster>/trust/roots.pem`). The build
takes them from the key directory next to the mesh file, or, where that is absent (in CI, for example), keeps those
that the tree already holds. Here there are none in either place, so the bundle is empty and every handshake in the
mesh would be refused.

```console
$ meshc trust init mesh.mesh
$ meshc build mesh.mesh -o out
```",
    },
    CodeInfo {
        code: DIRECTORIES_OVERLAP,
        title: "private keys and generated files would share a directory",
        explanation: "\
What `meshc build` writes is reviewed and committed. The key directory, and the directory that `issuer = files` names,
hold private keys, which never are. So the output directory is none of these and lies in none of them, neither of them
lies in the folder of a cluster that a build writes, and a build does not write into the folder of another one. What
counts are the directories themselves, not their paths: a link to the key directory is the key directory.

```console
$ meshc build mesh.mesh -o keys
error[E0706]: the output directory `keys` is also the key directory `keys`, which holds private keys
```

Build into another directory with `-o`, or keep the keys elsewhere and name the place with `--keys`. Beside the
clusters' folders (`-o .` with the keys in `keys`) is fine.",
    },
    CodeInfo {
        code: TRACKED_KEYS,
        title: "git tracks private keys",
        explanation: "\
`meshc trust` puts a `.gitignore` into the key directory that keeps all of it out of git, but git goes on tracking what
was added before, or was added with `--force`. Whoever can read the repository can then use these identities, or make
any identity of the mesh, until the certificates end: nothing revokes one.

```console
$ git rm --cached -r keys && git commit -m 'Keys are not tracked'
```

A key that others may have seen stays known to them, since it stays in the history. Delete its files and run
`meshc trust init` and `meshc trust issue`; a root that got out takes a new root, with everything below it.",
    },
    CodeInfo {
        code: BAD_DIRECTIVE,
        title: "a comment for meshc is not understood",
        explanation: "\
A comment that begins with `meshc:` sets how loud warnings are. At the end of a line, or right above one, it allows
warnings on that line and gives a reason; with `everywhere`, in the entry file, it sets the level of codes for the whole
mesh: `allow`, `warn`, or `deny`, which makes an error of a warning. `warnings` stands for all that have no level of their
own. The command line (`--allow`, `--warn`, `--deny`) goes before comments.

```mesh
// meshc: everywhere deny(warnings)
// meshc: everywhere allow(W0334) a mesh for demonstrations has one gateway
service web {}  // meshc: allow(W0321) called by hand only
```

Write one of these forms, with codes that `meshc explain --list` shows.",
    },
    CodeInfo {
        code: UNUSED_ALLOWANCE,
        title: "a comment allows what is not there",
        explanation: "\
A comment such as `// meshc: allow(W0321) called by hand only` allows a warning on the line that it ends or stands above.
There is no such warning on that line any more, so the comment would hide the next one that comes up there.

```mesh
// meshc: allow(W0321) called by hand only
service web { clusters = [one] }     // is called by now
```

Remove the comment, or move it to the line that it is about.",
    },
    CodeInfo {
        code: LOWERED_ERROR,
        title: "a level would lower an error",
        explanation: "\
Warnings can be allowed, and made errors. An error cannot be lowered: what it is about has no meaning that could be
compiled, so there would be no result.

```mesh
// meshc: everywhere allow(E0301) later
```

Mend what the error is about, and remove its code from the comment.",
    },
    CodeInfo {
        code: NO_RESULT,
        title: "an internal error: no result and no reason",
        explanation: "\
A mesh without errors compiles, and one that does not compile has at least one error. Here a stage of the compiler ended
without a result and reported no error, so whatever it saw was lost. Nothing is written.

```console
$ meshc check mesh.mesh
error[E0902]: internal error: the mesh was not compiled, and no error says why
```

No mesh is at fault. Please report it with the mesh, or with the smallest part of it that still shows this.",
    },
];

/// Every code that the compiler can raise, in order.
#[must_use]
pub fn all() -> Vec<&'static CodeInfo> {
    let lists = [
        lang_syntax::codes::CODES,
        lang_evaluate::codes::CODES,
        lang_expand::codes::CODES,
        meshc_vocabulary::codes::CODES,
        meshc_vocabulary::gateway_codes::CODES,
        meshc_check::codes::CODES,
        meshc_plan::codes::CODES,
        meshc_answers::codes::CODES,
        meshc_proof::codes::CODES,
        meshc_envoy::codes::CODES,
        meshc_kubernetes::codes::CODES,
        CODES,
    ];
    let mut all: Vec<&CodeInfo> = lists.into_iter().flatten().collect();
    all.sort_by_key(|info| info.code);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_well_formed_and_explained() {
        let all = all();
        for (one, next) in all.iter().zip(all.iter().skip(1)) {
            assert!(one.code < next.code, "{} is there twice", one.code);
        }
        for info in all {
            let code = info.code.0;
            let digits = code.strip_prefix(['E', 'W']).unwrap_or_default();
            assert!(digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
            assert!(!info.title.is_empty() && !info.title.ends_with('.'), "{code}: {}", info.title);
            assert!(info.explanation.trim().len() > 100, "{code} is hardly explained");
        }
    }
}
