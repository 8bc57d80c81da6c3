//! `meshc trust show`: every certificate and what is wrong with it.

use meshc_driver::{system_time, trust_request};
use meshc_pki::show;

use super::Directory;
use crate::console::Console;
use crate::disk::WallClock;
use crate::exit::{Context, Exit, Failure};
use crate::keys;
use crate::output::print;

pub(super) const EXAMPLE: &str = "\
Example:
  $ meshc trust show mesh.mesh

Exits with 1 if a certificate is missing, nears its end, or is wrong in any
other way.";

pub(super) fn run(directory: &Directory, console: &Console) -> Result<Exit, Failure> {
    let Some(mesh) = directory.mesh(console)? else { return Ok(Exit::Findings) };
    let keys = keys::read(&directory.keys())?;
    let report = show(&trust_request(&mesh), &keys, system_time(&WallClock))
        .map_err(|error| Failure::new(error.to_string()))?;
    print(&report.to_string()).context(|| String::from("write to standard output"))?;
    Ok(if report.is_healthy() { Exit::Ok } else { Exit::Findings })
}
