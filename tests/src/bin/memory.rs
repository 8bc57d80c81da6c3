//! Whether proxies stay within the memory of their containers, whatever clients do: see `tests/bench/README.md`.

use std::time::Duration;

use mesh_tests::build::Built;
use mesh_tests::mesh::DataPlane;
use mesh_tests::pods::{Application, Pods};
use mesh_tests::tools;
use serde_json::{Value, json};

const USAGE: &str = "usage: memory [--idle N] [--unread N] [--slow N] [--seconds N] [--plane meshd|envoy]";

/// How often memory is read, and told to the proxies.
const INTERVAL: Duration = Duration::from_millis(200);

/// How many bytes those ask for who then do not read.
const UNREAD: &str = "/?bytes=4000000";

/// What the crowd of `memory.mesh` comes to.
const SERVICE: Application = Application {
    image: "answers",
    namespace: "shop",
    cluster: "west",
    service: "web",
    port: 8080,
    replicas: 1,
};
const INGRESS: &str = "172.18.255.200:8080";
/// Pods: whose memory matters, and from where the crowd comes.
const INGRESS_POD: &str = "west-west-ingress";
const SERVICE_POD: &str = "west-web";
const CROWD_POD: &str = "west-dns";

/// Prints the figures of each data plane as JSON; fails if a proxy used more than it may, or a good request failed.
fn main() {
    let mut counts = [("--idle", 10_000_u32), ("--unread", 3_000), ("--slow", 1_000), ("--seconds", 60)];
    let mut planes = vec![DataPlane::Meshd, DataPlane::Envoy];
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().expect(USAGE);
        if let Some((_, count)) = counts.iter_mut().find(|(name, _)| *name == option) {
            *count = value.parse().expect(USAGE);
        } else {
            assert_eq!(option, "--plane", "{USAGE}");
            planes.retain(|plane| plane.word() == value);
        }
    }
    let mut wrong = false;
    for plane in planes {
        let figures = measure(plane, &counts);
        println!("{} {figures:#}", plane.word());
        let crowd = figures["crowd"].as_object().expect("figures");
        let over = figures["memory"].as_object().expect("figures").values().any(|pod| {
            let bytes = |name: &str| pod[name].as_u64().expect("bytes");
            bytes("sum") >= bytes("limit")
        });
        wrong |= over || crowd["failed"] != json!({}) || crowd["answered"] == 0;
    }
    std::process::exit(i32::from(wrong));
}

fn measure(plane: DataPlane, counts: &[(&str, u32)]) -> Value {
    let source = std::fs::read_to_string(tools::workspace().join("tests/bench/memory.mesh"));
    let built = Built::new(&source.expect("the mesh of this benchmark"), plane, &[]);
    let mut pods = Pods::watched(&built, &["west"], &[SERVICE], INTERVAL);
    let mut program = vec![tools::binary("crowd").display().to_string()];
    program.extend([INGRESS, "web.test", UNREAD].map(str::to_owned));
    for (name, count) in counts {
        program.extend([(*name).to_owned(), count.to_string()]);
    }
    pods.load(&json!({ "name": "crowd", "pod": CROWD_POD, "program": program }));
    let crowd = pods.loaded("crowd");
    let memory = pods.memory();
    json!({
        "crowd": crowd,
        "memory": { "ingress": memory[INGRESS_POD], "sidecar": memory[SERVICE_POD] },
    })
}
