//! Whether the directories of a command are apart: by what they are on disk and not by their paths, so that no link, no
//! `..` and no mount makes one directory look like two.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use meshc_driver::output::{LOCK_FILE, STAGE};
use meshc_driver::{CheckedMesh, Overlap, Relation, Role};
use meshc_pki::layout;
use meshc_vocabulary::model::Issuer;

use crate::exit::{Context, Failure};

/// The key directory of a mesh: the one that is given, or `keys` next to the entry file.
pub(crate) fn keys(entry: &Path, given: Option<&PathBuf>) -> PathBuf {
    let beside = || entry.parent().unwrap_or(Path::new("")).join("keys");
    given.cloned().unwrap_or_else(beside)
}

/// Where `issuer = files` says that the user's own authorities are.
pub(crate) fn brought(entry: &Path, mesh: &CheckedMesh) -> Option<PathBuf> {
    match &mesh.model.trust.issuer {
        Issuer::Files(files) => Some(entry.parent().unwrap_or(Path::new("")).join(&files.directory.value)),
        Issuer::Builtin | Issuer::CertManager => None,
    }
}

/// What keeps a build from writing `output` while the keys are in `keys`.
pub(crate) fn of_build(
    entry: &Path,
    mesh: &CheckedMesh,
    output: &Path,
    keys: &Path,
) -> Result<Vec<Overlap>, Failure> {
    let mut found = Vec::new();
    let brought = brought(entry, mesh);
    let private = [(Role::Keys, Some(keys)), (Role::Brought, brought.as_deref())];
    let folders = mesh.plan.clusters.iter().map(|cluster| cluster.name.as_str()).chain([STAGE]);
    let folders: Vec<PathBuf> = folders.map(|name| output.join(name)).collect();
    for (role, directory) in private {
        let Some(directory) = directory else { continue };
        if let Some(relation) = relation(output, directory)? {
            found.push(overlap((Role::Output, output), relation, (role, directory)));
            continue;
        }
        for folder in &folders {
            if let Some(relation) = relation(directory, folder)? {
                found.push(overlap((role, directory), relation, (Role::Folder, folder)));
            }
        }
    }
    if found.is_empty() {
        found.extend(foreign(output)?);
    }
    Ok(found)
}

/// What keeps `meshc trust` from writing keys to `keys`.
pub(crate) fn of_trust(entry: &Path, mesh: &CheckedMesh, keys: &Path) -> Result<Vec<Overlap>, Failure> {
    if let Some(folder) = above(keys)?.find(|folder| folder.join(LOCK_FILE).is_file()) {
        return Ok(vec![overlap((Role::Keys, keys), Relation::Inside, (Role::Folder, &folder))]);
    }
    let clusters = mesh.plan.clusters.iter();
    if clusters.map(|cluster| keys.join(&cluster.name)).any(|folder| folder.join(LOCK_FILE).is_file()) {
        return Ok(vec![overlap((Role::Keys, keys), Relation::Same, (Role::Output, keys))]);
    }
    if let Some(brought) = brought(entry, mesh)
        && relation(keys, &brought)? == Some(Relation::Same)
    {
        return Ok(vec![overlap((Role::Keys, keys), Relation::Same, (Role::Brought, &brought))]);
    }
    Ok(Vec::new())
}

/// A folder of another build, or a key directory of another mesh, that `output` lies in.
fn foreign(output: &Path) -> Result<Option<Overlap>, Failure> {
    for (depth, folder) in above(output)?.enumerate() {
        let relation = if depth == 0 { Relation::Same } else { Relation::Inside };
        if folder.join(LOCK_FILE).is_file() {
            return Ok(Some(overlap((Role::Output, output), relation, (Role::Folder, &folder))));
        }
        if holds_keys(&folder) {
            return Ok(Some(overlap((Role::Output, output), relation, (Role::Keys, &folder))));
        }
    }
    Ok(None)
}

/// Whether a directory is one that `meshc trust` made: roots, and an authority to sign below them.
fn holds_keys(directory: &Path) -> bool {
    let authority = |entry: fs::DirEntry| entry.path().join("intermediate/cert.pem").is_file();
    let below = || fs::read_dir(directory).into_iter().flatten().flatten().any(authority);
    directory.join(layout::ROOTS).is_file() && (directory.join(layout::ROOT_CERTIFICATE).is_file() || below())
}

fn overlap(what: (Role, &Path), relation: Relation, other: (Role, &Path)) -> Overlap {
    let text = |(role, path): (Role, &Path)| (role, path.display().to_string());
    Overlap { what: text(what), relation, other: text(other) }
}

/// How one directory is related to another, whether they exist already or not.
fn relation(one: &Path, other: &Path) -> Result<Option<Relation>, Failure> {
    let target = resolved(other)?;
    let identity = identity(&target);
    for (depth, folder) in above(one)?.enumerate() {
        let same = folder == target || (identity.is_some() && self::identity(&folder) == identity);
        if same {
            return Ok(Some(if depth == 0 { Relation::Same } else { Relation::Inside }));
        }
    }
    Ok(None)
}

/// A directory and all those above it, without links, from the innermost out.
fn above(path: &Path) -> Result<impl Iterator<Item = PathBuf>, Failure> {
    let whole = resolved(path)?;
    Ok(whole.ancestors().map(Path::to_path_buf).collect::<Vec<_>>().into_iter())
}

/// The path without links and `..`; of what does not exist yet, below the last directory that does.
fn resolved(path: &Path) -> Result<PathBuf, Failure> {
    let doing = || format!("find `{}`", path.display());
    let whole = std::path::absolute(path).context(doing)?;
    let mut missing = Vec::new();
    for folder in whole.ancestors() {
        match fs::canonicalize(folder) {
            Ok(found) => return Ok(missing.iter().rev().fold(found, |path, name| path.join(name))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing.extend(folder.file_name().map(ToOwned::to_owned));
            }
            Err(error) => return Err(error).context(doing),
        }
    }
    Ok(whole)
}

/// What makes two paths one directory: a device and a number on it.
fn identity(directory: &Path) -> Option<(u64, u64)> {
    fs::metadata(directory).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_directory_is_recognized_by_any_path() {
        let temporary = tempfile::tempdir().unwrap();
        let path = |name: &str| temporary.path().join(name);
        fs::create_dir_all(path("keys/deep")).unwrap();
        std::os::unix::fs::symlink("keys", path("link")).unwrap();
        std::os::unix::fs::symlink("keys/deep", path("inner")).unwrap();
        let relation = |one: &str, other: &str| relation(&path(one), &path(other)).unwrap();
        for same in ["keys", "link", "keys/", "./keys", "keys/deep/..", "inner/..", "link/deep/../../keys"] {
            assert_eq!(relation(same, "keys"), Some(Relation::Same), "{same}");
            assert_eq!(relation("keys", same), Some(Relation::Same), "{same}");
        }
        for inside in ["keys/deep", "inner", "link/new", "inner/new/newer"] {
            assert_eq!(relation(inside, "link"), Some(Relation::Inside), "{inside}");
        }
        for apart in ["keyss", "new", "new/keys", ".", "link-2"] {
            assert_eq!(relation(apart, "keys"), None, "{apart}");
        }
        assert_eq!(relation("new/keys", "new/keys"), Some(Relation::Same), "neither exists");
    }
}
