//! One side of a comparison: a mesh on the disk or in a revision.

use std::path::{Path, PathBuf};

use meshc_driver::{Compilation, FileSystem, Levels, Options, Overlay, Request, check_request};
use meshc_vocabulary::model::DataPlane;

use super::git::Revision;
use crate::compile::{DataPlaneWord, unreadable};
use crate::disk::Disk;
use crate::exit::{Context, Failure};
use crate::sources::Sources;

/// What a side is given.
pub(super) struct Inputs<'a> {
    pub(super) definitions: &'a [String],
    /// Files of values, each on the disk or in a revision.
    pub(super) values: Vec<&'a Path>,
    pub(super) data_plane: Option<DataPlaneWord>,
}

/// Where something is that the command line names.
enum Place<'a> {
    Disk,
    /// A revision and a path in it.
    Revision(&'a str, &'a str),
}

/// Reads `REVISION:PATH`. Whoever proposes a change can add a file of that name, so what is before the colon is a revision if git
/// has it; a file of that name is written with `./` before it.
fn place(named: &Path) -> Result<Place<'_>, Failure> {
    let begins = |prefix: &str| named.to_str().is_some_and(|text| text.starts_with(prefix));
    let is_path = ["./", "../", "/"].into_iter().any(begins);
    let Some((revision, path)) = named.to_str().filter(|_| !is_path).and_then(|text| text.split_once(':'))
    else {
        return Ok(Place::Disk);
    };
    if std::fs::symlink_metadata(named).is_err() {
        return Ok(Place::Revision(revision, path));
    }
    if Revision::is_one(revision)? {
        let name = named.display();
        return Err(Failure::new(format!("`{name}` is a file, and a path in revision `{revision}`"))
            .help(format!("write `./{name}` for the file, or `{revision}^0:{path}` for the revision")));
    }
    Ok(Place::Disk)
}

/// Checks the mesh of a side.
pub(super) fn compile(named: &Path, inputs: &Inputs<'_>) -> Result<Compilation, Failure> {
    let mut texts = Vec::new();
    for values in &inputs.values {
        if let Place::Revision(revision, path) = place(values)? {
            let (files, path) = Revision::open(revision, path)?;
            let bytes = files.read(&path).map_err(|error| unreadable(values, &error))?;
            texts.push((
                *values,
                String::from_utf8(bytes).context(|| format!("read `{}`", values.display()))?,
            ));
        }
    }
    match place(named)? {
        Place::Revision(revision, path) => {
            let (files, below) = Revision::open(revision, path)?;
            let mut files = Overlay::new(&files);
            for values in &inputs.values {
                if texts.iter().all(|(known, _)| known != values) {
                    let text = std::fs::read_to_string(values);
                    texts.push((*values, text.context(|| format!("read `{}`", values.display()))?));
                }
            }
            texts.into_iter().for_each(|(path, text)| files.put(path, text));
            let said = |unread: &Path| {
                let is_side = unread.starts_with(&below) && !inputs.values.contains(&unread);
                if is_side {
                    PathBuf::from(format!("{revision}:{}", unread.display()))
                } else {
                    unread.to_path_buf()
                }
            };
            check(&files, below.clone(), inputs, said)
        }
        Place::Disk => {
            let mut files = Overlay::new(&Disk);
            let on_disk = inputs.values.iter().filter(|path| texts.iter().all(|(known, _)| known != *path));
            let all = std::iter::once(named).chain(on_disk.copied()).map(Path::to_path_buf);
            if let Some(sources) = Sources::of(all) {
                sources.show_pending(&mut files)?;
            }
            texts.into_iter().for_each(|(path, text)| files.put(path, text));
            check(&files, named.to_path_buf(), inputs, Path::to_path_buf)
        }
    }
}

fn check(
    files: &dyn FileSystem,
    path: PathBuf,
    inputs: &Inputs<'_>,
    said: impl Fn(&Path) -> PathBuf,
) -> Result<Compilation, Failure> {
    let request = Request {
        entries: vec![path],
        definitions: inputs.definitions.to_vec(),
        values: inputs.values.iter().map(|path| path.to_path_buf()).collect(),
        options: Options { data_plane: inputs.data_plane.map(DataPlane::from) },
    };
    check_request(files, &request, &Levels::default())
        .map_err(|unread| unreadable(&said(&unread.path), &unread.error))
}
