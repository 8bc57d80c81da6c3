//! A mesh that changes, and builds of it in memory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use meshc_driver::output::{DifferenceKind, Edits, Outcome, Program, RECORD, Writer};
use meshc_driver::{Compilation, Forms, MemoryFileSystem, Options, build, build_into, check};

pub(crate) const ROOT: &str = "out";

/// A service as the sequences change it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    pub(crate) target: u16,
    pub(crate) timeout: u8,
    pub(crate) there: bool,
    /// A bit for each service that it calls.
    pub(crate) calls: u8,
}

/// What a build depends on.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) services: [Service; 6],
    pub(crate) envoy: bool,
    pub(crate) forms: Forms,
    pub(crate) program: &'static str,
    pub(crate) roots: &'static str,
}

impl Default for State {
    fn default() -> Self {
        let service = Service { target: 8080, timeout: 3, there: true, calls: 0b10_1010 };
        Self { services: [service; 6], envoy: true, forms: Forms::Watched, program: "one", roots: "roots" }
    }
}

impl State {
    pub(crate) fn text(&self) -> String {
        let plane = if self.envoy { "envoy" } else { "meshd" };
        let mut text = format!(
            "mesh small {{ trust_domain = \"cluster.local\", trust = own, data_plane = {plane} }}
trust own {{ issuer = builtin, root {{ common_name = \"root.example\" }} }}
network net {{}}
cluster one {{
  network = net, region = \"here\"
  gateway ingress {{ role = ingress, address = 192.0.2.1, port http {{ number = 80 }} }}
}}
cluster iron {{ network = net, region = \"here\", platform = machines }}
"
        );
        for (number, Service { target, timeout, there, calls }) in self.services.iter().enumerate() {
            if !there {
                continue;
            }
            let called = |other: &usize| {
                *other != number
                    && calls & (1 << other) != 0
                    && self.services[*other].there
                    // Machines and pods have no network in common.
                    && (*other > 3) == (number > 3)
            };
            let calls: Vec<String> =
                (0..6).filter(called).map(|other| format!("n{other}.s{other}")).collect();
            let place = match number {
                4 | 5 => format!("clusters = [iron], in iron {{ addresses = [10.0.0.{number}] }}"),
                _ => String::from("clusters = [one]"),
            };
            let _ = writeln!(
                text,
                "namespace n{number} {{
  service s{number} {{ {place}, port http {{ number = 80, target = {target}, bind = loopback }}, calls = [{}] }}
  policy p{number} {{ targets = [s{number}], timeout = {timeout}s }}
}}",
                calls.join(", ")
            );
        }
        text
    }

    pub(crate) fn compiled(&self) -> Compilation {
        let files = MemoryFileSystem::with(&[("mesh.mesh", &self.text())]);
        let compilation = check(&files, Path::new("mesh.mesh"), Options { data_plane: None }).unwrap();
        assert!(compilation.mesh.is_some(), "{:#?}\n{}", compilation.diagnostics, self.text());
        compilation
    }

    pub(crate) fn program(&self) -> Program {
        Program::Known(self.program.to_owned())
    }

    /// Builds into the tree.
    pub(crate) fn build(&self, files: &MemoryFileSystem, edits: Edits) -> Outcome {
        let mut compilation = self.compiled();
        let clusters = ["one", "iron"].into_iter();
        let begun = Writer::write(files, Path::new(ROOT), "small", clusters, edits, self.program()).unwrap();
        let (_, Some(mut writer)) = begun else { panic!("{begun:?}", begun = begun.0) };
        assert!(build_into(&mut compilation, self.forms, self.roots, &mut writer).unwrap());
        writer.finish().unwrap()
    }

    pub(crate) fn differences(&self, files: &MemoryFileSystem) -> Vec<(String, DifferenceKind)> {
        let clusters = ["one", "iron"].into_iter();
        let mut writer = Writer::compare(files, Path::new(ROOT), "small", clusters, self.program()).unwrap();
        assert!(build_into(&mut self.compiled(), self.forms, self.roots, &mut writer).unwrap());
        writer.differences().unwrap().into_iter().map(|each| (each.path, each.kind)).collect()
    }

    /// What a first build of this state gives.
    pub(crate) fn cold(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = MemoryFileSystem::default();
        self.build(&files, Edits::Keep);
        let rendered = build(&mut self.compiled(), self.forms, self.roots).unwrap();
        let tree = tree(&files);
        assert_eq!(rendered.len() + 2, tree.len(), "all that is rendered, and a lock file for each cluster");
        tree
    }
}

/// The tree without the record.
pub(crate) fn tree(files: &MemoryFileSystem) -> BTreeMap<PathBuf, Vec<u8>> {
    let inside = |path: &Path| path.starts_with(ROOT) && !path.starts_with(Path::new(ROOT).join(RECORD));
    files.files().into_iter().filter(|(path, _)| inside(path)).collect()
}

pub(crate) fn record() -> String {
    format!("{ROOT}/{RECORD}/record")
}

/// Long enough for any file system's clock.
pub(crate) const LONG: u64 = 5_000_000_000;

/// A tree that was built twice with time between, so that all its files are recorded, and reading it costs nothing.
pub(crate) fn settled(state: &State) -> MemoryFileSystem {
    let files = MemoryFileSystem::default();
    for _ in 0..2 {
        state.build(&files, Edits::Keep);
        files.advance(LONG);
    }
    files.take_reads();
    files
}

/// How many files an unchanged build reads.
pub(crate) fn reads(state: &State, files: &MemoryFileSystem) -> usize {
    files.take_reads();
    assert_eq!(state.build(files, Edits::Keep), Outcome::Unchanged);
    files.take_reads()
}

/// Files of proxies.
pub(crate) const SOME: [&str; 3] = [
    "out/one/sidecars/n1/s1/config/listeners.yaml",
    "out/one/sidecars/n2/s2/kustomization.yaml",
    "out/iron/sidecars/n5/s5/mesh-proxy.service",
];
