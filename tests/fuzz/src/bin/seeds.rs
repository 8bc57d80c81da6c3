//! Writes the first inputs of each target into `DIRECTORY/source` and `DIRECTORY/wire`.

use std::io;
use std::path::{Path, PathBuf};

use mesh_fuzz::Seeds;

fn main() -> io::Result<()> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or(io::ErrorKind::InvalidInput)?);
    let seeds = Seeds::of_the_workspace()?;
    write(&directory.join("source"), &seeds.source)?;
    write(&directory.join("wire"), &seeds.wire)
}

fn write(directory: &Path, inputs: &[Vec<u8>]) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for (number, input) in inputs.iter().enumerate() {
        std::fs::write(directory.join(format!("seed-{number:04}")), input)?;
    }
    Ok(())
}
