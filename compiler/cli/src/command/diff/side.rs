//! One side of a comparison: a mesh on the disk or in a revision.

use std::path::{Path, PathBuf};

use meshc_driver::{Compilation, FileSystem, Levels, Options, Overlay, Request, check_request};
use meshc_vocabulary::model::DataPlane;

use super::git::Revision;
use crate::compile::{DataPlaneWord, unreadable};
use crate::disk::Disk;
use crate::exit::{Context, Failure};
use crate::sources::Sources;

/// What both sides are given.
pub(super) struct Inputs<'a> {
    pub(super) definitions: &'a [String],
    pub(super) values: &'a [PathBuf],
    pub(super) data_plane: Option<DataPlaneWord>,
}

/// Checks the mesh of a side. A file that is there is one, whatever its name looks like.
pub(super) fn compile(named: &Path, inputs: &Inputs<'_>) -> Result<Compilation, Failure> {
    let revision = named.to_str().and_then(|text| text.split_once(':'));
    match revision {
        Some((revision, path)) if !named.exists() => {
            let (files, path) = Revision::open(revision, path)?;
            let mut files = Overlay::new(&files);
            for values in inputs.values {
                let text = std::fs::read_to_string(values);
                files.put(values, text.context(|| format!("read `{}`", values.display()))?);
            }
            check(&files, path, inputs)
        }
        Some(_) | None => {
            let mut files = Overlay::new(&Disk);
            let all = std::iter::once(named.to_path_buf()).chain(inputs.values.iter().cloned());
            if let Some(sources) = Sources::of(all) {
                sources.show_pending(&mut files)?;
            }
            check(&files, named.to_path_buf(), inputs)
        }
    }
}

fn check(files: &dyn FileSystem, path: PathBuf, inputs: &Inputs<'_>) -> Result<Compilation, Failure> {
    let request = Request {
        entries: vec![path],
        definitions: inputs.definitions.to_vec(),
        values: inputs.values.to_vec(),
        options: Options { data_plane: inputs.data_plane.map(DataPlane::from) },
    };
    check_request(files, &request, &Levels::default())
        .map_err(|unread| unreadable(&unread.path, &unread.error))
}
