//! Where binaries and tools are.

use std::path::{Path, PathBuf};

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the tests package lies in the workspace").to_path_buf()
}

/// A binary of this workspace, built by `cargo build --workspace --bins` in the same profile as what runs.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.parent().expect("target/<profile> for programs, and deps in it for tests");
    let profile = if folder.ends_with("deps") { folder.parent().expect("target/<profile>") } else { folder };
    let path = profile.join(name);
    assert!(path.is_file(), "{name} is not built; run: cargo build --workspace --bins");
    path
}

/// Names the release of Envoy that stands in for the one of `tests/tools/requirements.txt`: one that `tests/tools/envoys` brings.
pub const ENVOY_VERSION: &str = "MESH_ENVOY_VERSION";

/// A tool that `tests/tools/install` brings: `envoy`, `kubectl`, `kubernetes-validate`, `python`.
///
/// # Panics
/// If it is not installed.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    if let Some(version) = std::env::var_os(ENVOY_VERSION).filter(|_| name == "envoy") {
        return envoy(&version.to_string_lossy());
    }
    let path = workspace().join("tests/.tools/bin").join(name);
    assert!(path.exists(), "{name} is not installed; run: tests/tools/install");
    path
}

/// A release of Envoy.
///
/// # Panics
/// If it is not installed.
#[must_use]
pub fn envoy(release: &str) -> PathBuf {
    let path = workspace().join("tests/.tools/envoys").join(release).join("envoy");
    assert!(path.exists(), "Envoy {release} is not installed; run: tests/tools/envoys {release}");
    path
}

/// A Chromium: the one of Debian that has no window, or whichever else is there.
///
/// # Panics
/// If none is installed.
#[must_use]
pub fn browser() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
    let mut found = names.iter().flat_map(|name| places.iter().map(move |place| place.join(name)));
    found.find(|candidate| candidate.is_file()).expect("a browser is installed; run: tests/tools/install")
}

/// A program of the system, such as `redis-server` or `openssl`.
///
/// # Panics
/// If it is not installed.
#[must_use]
pub fn system(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = places.map(|place| place.join(name)).find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; run: tests/tools/install"))
}
