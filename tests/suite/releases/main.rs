//! `meshc diff --envoy` says what older releases of Envoy do: its table against the releases themselves.
//!
//! In `tests/run` with the last release before the newest; `MESH_ENVOY_RELEASES=all tests/releases` takes all that
//! `tests/tools/envoys` brings, and runs everything that is proved of Envoy on each.

mod accepted;
mod proved;

use std::process::Command;

use mesh_tests::{process, tools};
use serde_json::Value;

/// The release that `tests/tools/install` brings beside the newest.
const BESIDE: &str = "1.39.3";

/// The newest release, which configurations are written for.
const NEWEST: &str = "1.40.0";

/// The older releases that are tried.
fn older() -> Vec<String> {
    match std::env::var("MESH_ENVOY_RELEASES").as_deref() {
        Ok("all") => {
            let requirements = tools::workspace().join("tests/tools/requirements.txt");
            let text = std::fs::read_to_string(requirements).expect("readable");
            let releases =
                text.lines().find_map(|line| line.strip_prefix("# releases: ")).expect("a line of releases");
            releases.split(' ').filter(|release| *release != NEWEST).map(str::to_owned).collect()
        }
        Ok(releases) => releases.split(' ').map(str::to_owned).collect(),
        Err(_) => vec![String::from(BESIDE)],
    }
}

/// What `meshc` says of two releases and a mesh.
fn changes(mesh: &std::path::Path, before: &str, after: &str) -> Vec<Value> {
    let mut command = Command::new(tools::binary("meshc"));
    command.args(["diff", "--envoy", before, after, "-o", "json", "--data-plane", "envoy"]).arg(mesh);
    let said: Value = serde_json::from_str(&process::succeed(&mut command)).expect("JSON");
    said["changes"].as_array().expect("a list").clone()
}
