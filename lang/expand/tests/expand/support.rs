//! Meshes of several files in memory, and what expansion makes of them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use lang_diagnostics::{Diagnostic, RenderOptions, Severity, Sink, SourceMap, render_text, settled};
use lang_expand::{Entry, Given, Host, StandardLibrary, expand};
use lang_syntax::ast::File;
use lang_syntax::{parse, print};
use meshc_vocabulary::SCHEMA;

/// The files of a mesh by name, and its inputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) definitions: Vec<String>,
}

impl Folder {
    /// A mesh of one file.
    pub(crate) fn of(text: &str) -> Self {
        Self {
            files: BTreeMap::from([(String::from("mesh.mesh"), text.to_owned())]),
            definitions: Vec::new(),
        }
    }

    /// The files below a directory.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut read = Self::default();
        let mut open = vec![folder.to_path_buf()];
        while let Some(next) = open.pop() {
            for entry in std::fs::read_dir(next).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
                    read.files.insert(name, std::fs::read_to_string(&path).expect("text"));
                }
            }
        }
        let definitions = read.files.remove("definitions").unwrap_or_default();
        read.definitions = definitions.lines().map(str::to_owned).collect();
        read
    }
}

impl Host for Folder {
    fn read(&mut self, path: &str) -> io::Result<Arc<str>> {
        self.files
            .get(path)
            .map(|text| text.as_str().into())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "not there"))
    }

    fn standard(&self, name: &str) -> Option<&'static str> {
        StandardLibrary(meshc_stdlib::MODULES).standard(name)
    }

    fn standard_names(&self) -> Vec<&'static str> {
        StandardLibrary(meshc_stdlib::MODULES).standard_names()
    }
}

/// What came out.
pub(crate) struct Expanded {
    pub(crate) trees: Vec<Arc<File>>,
    pub(crate) sources: SourceMap,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Expands the mesh of a folder.
pub(crate) fn expanded(folder: &Folder) -> Expanded {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let text = folder.files.get("mesh.mesh").cloned().unwrap_or_default();
    let file = sources.add("mesh.mesh", text.as_str());
    let tree = parse(file, &text, &mut sink);
    let mut given = Vec::new();
    if let Some(values) = folder.files.get("values") {
        let file = sources.add("values", values.as_str());
        let tree = parse(file, values, &mut sink);
        given.extend(Given::in_file(&tree, &mut sink));
    }
    for written in &folder.definitions {
        given.extend(Given::on_command_line(written, &mut sources, &mut sink));
    }
    let entry = Entry { path: String::from("mesh.mesh"), file, tree: Arc::new(tree) };
    let trees = expand(vec![entry], &given, SCHEMA, &mut folder.clone(), &mut sources, &mut sink);
    let diagnostics = settled(sink.into_sorted(), &sources);
    Expanded { trees, sources, diagnostics }
}

impl Expanded {
    /// All trees as one text.
    pub(crate) fn text(&self) -> String {
        self.trees
            .iter()
            .map(|tree| print(tree))
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// What is reported, and the text if that is no error.
    pub(crate) fn shown(&self) -> String {
        let options = RenderOptions { width: 100, color: false };
        let mut shown = render_text(&self.diagnostics, &self.sources, options);
        if self.diagnostics.iter().all(|one| one.severity != Severity::Error) {
            if !shown.is_empty() {
                shown.push('\n');
            }
            shown.push_str(&self.text());
        }
        shown
    }
}
