//! The inputs that fuzzing starts from: every mesh and every meshd configuration of this repository, and the beginning
//! of a real TLS connection.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{CONFIGURATION, HELLO};

/// The inputs of one target.
#[derive(Debug, Default)]
pub struct Seeds {
    /// Meshes.
    pub source: Vec<Vec<u8>>,
    /// Configurations and beginnings of connections, each after the byte that says which.
    pub wire: Vec<Vec<u8>>,
}

impl Seeds {
    /// Reads them from the workspace.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn of_the_workspace() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut seeds = Self::default();
        for folder in ["examples", "tests/golden", "tests/wrong", "compiler", "lang"] {
            for file in files(&root.join(folder))? {
                let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if file.extension().is_some_and(|extension| extension == "mesh") {
                    seeds.source.push(std::fs::read(&file)?);
                } else if file.extension().is_some_and(|extension| extension == "wrong") {
                    seeds.source.extend(wrong(&std::fs::read_to_string(&file)?));
                } else if name == "meshd.json" {
                    seeds.wire.push(marked(CONFIGURATION, &std::fs::read(&file)?));
                }
            }
        }
        seeds.wire.push(marked(HELLO, &hello()));
        Ok(seeds)
    }
}

/// The mesh of a case of `tests/wrong`: what is behind its first mark.
fn wrong(case: &str) -> Option<Vec<u8>> {
    let (_, behind) = case.split_once("\n== ")?;
    let (_, text) = behind.split_once('\n')?;
    let text = text.split("\n== ").next()?;
    Some(text.as_bytes().to_vec())
}

fn marked(mark: u8, bytes: &[u8]) -> Vec<u8> {
    let mut all = vec![mark];
    all.extend_from_slice(bytes);
    all
}

/// Every file below a folder, sorted.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// What rustls sends first on a hop of a mesh.
fn hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "outbound_.80_._.catalog.istioinaction.svc.cluster.local".try_into().expect("a DNS name");
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).expect("a vector takes all bytes");
    bytes
}
