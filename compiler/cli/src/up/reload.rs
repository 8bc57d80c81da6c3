//! Following the mesh file while the mesh runs: what compiles and keeps the mesh's shape takes effect at once.

use std::path::PathBuf;

use meshc_driver::Compilation;

use super::placing::shape;
use super::running::{Changed, Running};
use crate::compile::{DataPlaneWord, MeshArguments, compile, show};
use crate::console::Console;
use crate::exit::Failure;

/// What of a file has been seen and dealt with.
#[derive(Debug)]
pub(crate) struct Follower {
    mesh: MeshArguments,
    data_plane: Option<DataPlaneWord>,
    /// The files that the mesh consists of.
    files: Vec<PathBuf>,
    /// The texts that were compiled last.
    compiled: Option<Vec<Vec<u8>>>,
    /// The texts that were seen at the last glance. An editor may be in the middle of writing: texts count when they
    /// have been seen twice.
    seen: Option<Vec<Vec<u8>>>,
}

/// The texts of files, if all are there.
fn texts(files: &[PathBuf]) -> Option<Vec<Vec<u8>>> {
    files.iter().map(|file| std::fs::read(file).ok()).collect()
}

impl Follower {
    /// Follows a mesh from its files' present text on.
    pub(crate) fn new(mesh: MeshArguments, data_plane: Option<DataPlaneWord>, files: Vec<PathBuf>) -> Self {
        let texts = texts(&files);
        Self { mesh, data_plane, files, compiled: texts.clone(), seen: texts }
    }

    /// Looks at the file, and if it has changed brings the running mesh to it.
    pub(crate) async fn glance(&mut self, running: &mut Running, console: &Console) {
        if !self.has_changed() {
            return;
        }
        let (mesh, data_plane) = (self.mesh.clone(), self.data_plane);
        // On a thread of its own: the applications go on answering meanwhile.
        let compiled = tokio::task::spawn_blocking(move || compile(&mesh, data_plane)).await;
        match compiled {
            Ok(Ok(compilation)) => self.apply(compilation, running, console),
            Ok(Err(failure)) => console.failure(&failure),
            Err(error) => console.failure(&Failure::new(format!("the compiler failed: {error}"))),
        }
    }

    fn has_changed(&mut self) -> bool {
        // A file that is missing for a moment is being replaced.
        let Some(texts) = texts(&self.files) else { return false };
        let settled = self.seen.as_ref() == Some(&texts);
        let new = self.compiled.as_ref() != Some(&texts);
        self.seen = Some(texts);
        if settled && new {
            self.compiled.clone_from(&self.seen);
        }
        settled && new
    }

    fn apply(&mut self, compilation: Compilation, running: &mut Running, console: &Console) {
        let entry = self.mesh.entry();
        let file = entry.display();
        show(&compilation, console);
        if compilation.files != self.files {
            self.files.clone_from(&compilation.files);
            self.seen = texts(&self.files);
            self.compiled.clone_from(&self.seen);
        }
        let Some(mesh) = compilation.mesh else {
            console.note(&format!("{file} has errors; the mesh goes on as it was"));
            return;
        };
        let (old, new) = (shape(&running.mesh.plan), shape(&mesh.plan));
        if old != new {
            let gone = old.difference(&new).map(|each| format!("\n  without {each}"));
            let come = new.difference(&old).map(|each| format!("\n  with {each}"));
            let list: String = gone.chain(come).collect();
            console.note(&format!("{file} needs a restart; the mesh goes on as it was:{list}"));
            return;
        }
        match running.replace(mesh) {
            Ok(changed) => console.note(&format!("{file} was reloaded: {}", words(changed))),
            Err(failure) => console.failure(&failure),
        }
    }
}

fn words(changed: Changed) -> String {
    let proxies = match changed.proxies {
        0 => None,
        1 => Some(String::from("1 proxy has a new configuration")),
        several => Some(format!("{several} proxies have a new configuration")),
    };
    let limits = match changed.limits {
        0 => None,
        1 => Some(String::from("1 rate-limit service has new limits")),
        several => Some(format!("{several} rate-limit services have new limits")),
    };
    let parts: Vec<String> = proxies.into_iter().chain(limits).collect();
    if parts.is_empty() { String::from("no change for what runs") } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_said() {
        let words = |proxies, limits| words(Changed { proxies, limits });
        assert_eq!(words(0, 0), "no change for what runs");
        assert_eq!(words(0, 1), "1 rate-limit service has new limits");
        assert_eq!(words(2, 0), "2 proxies have a new configuration");
        assert_eq!(words(1, 2), "1 proxy has a new configuration, 2 rate-limit services have new limits");
    }

    #[test]
    fn a_text_counts_when_it_has_been_seen_twice() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("mesh.mesh");
        std::fs::write(&file, "a").unwrap();
        let mut follower = Follower::new(MeshArguments::of(&file), None, vec![file.clone()]);
        assert!(!follower.has_changed());
        std::fs::write(&file, "half").unwrap();
        assert!(!follower.has_changed());
        std::fs::write(&file, "half of it").unwrap();
        assert!(!follower.has_changed());
        assert!(follower.has_changed());
        assert!(!follower.has_changed());
        std::fs::remove_file(&file).unwrap();
        assert!(!follower.has_changed());
    }
}
