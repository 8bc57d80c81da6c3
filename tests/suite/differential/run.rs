//! One mesh on both data planes, and the same steps on each.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::random::Random;
use mesh_tests::{process, tools};

use crate::requests::{self, Step};
use crate::text::{Item, written};
use crate::{meshes, outcome};

/// How often a request is sent again to both before a difference is one: what fails or heals takes a moment to be known.
const AGAIN: usize = 6;
/// How many requests show all pods of a service with two.
const ROUNDS: usize = 12;
const PAUSE: Duration = Duration::from_millis(500);
/// How often, and how long in between, it is tried again to start a mesh where others have taken what it needs.
const PATIENCE: usize = 60;
const LATER: Duration = Duration::from_secs(5);

/// What is compared.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) mesh: Vec<Item>,
    pub(crate) steps: Vec<Step>,
}

impl Case {
    /// That of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (mesh, parts) = meshes::mesh(&mut random);
        let steps = requests::steps(&parts, &mut random);
        Self { mesh, steps }
    }
}

/// How the comparison ended.
pub(crate) enum Verdict {
    /// Alike; so many requests only after they were sent again.
    Same { fleeting: usize },
    /// It is no mesh, says the compiler.
    Refused(String),
    /// Not alike.
    Differs(Difference),
}

/// Where and how the two differ.
#[derive(Clone)]
pub(crate) struct Difference {
    /// The step; none if one of them did not even start.
    pub(crate) step: Option<usize>,
    pub(crate) envoy: String,
    pub(crate) meshd: String,
}

/// Why the compiler refuses a mesh, if it does.
pub(crate) fn refused(mesh: &[Item]) -> Option<String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("mesh.mesh");
    std::fs::write(&file, written(mesh)).expect("writable");
    let output = process::run(Command::new(tools::binary("meshc")).arg("check").arg(&file));
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error[")).collect();
    let first = errors.into_iter().take(4).collect::<Vec<_>>().join("; ");
    (!output.status.success()).then_some(first)
}

/// Runs a case.
pub(crate) fn compare(case: &Case) -> Verdict {
    if let Some(why) = refused(&case.mesh) {
        return Verdict::Refused(why);
    }
    let source = written(&case.mesh);
    let start = |plane| started(&source, plane);
    let (envoy, meshd) = std::thread::scope(|scope| {
        let other = scope.spawn(|| start(DataPlane::Meshd));
        (start(DataPlane::Envoy), other.join().expect("caught"))
    });
    let (envoy, meshd) = match (envoy, meshd) {
        (Ok(envoy), Ok(meshd)) => (envoy, meshd),
        (envoy, meshd) => {
            let word =
                |started: Result<Mesh, String>| started.map_or_else(|why| why, |_| "starts".to_owned());
            return Verdict::Differs(Difference { step: None, envoy: word(envoy), meshd: word(meshd) });
        }
    };
    let mut fleeting = 0;
    for (number, step) in case.steps.iter().enumerate() {
        match step {
            Step::Fail { service, place, how } => {
                each(&[&envoy, &meshd], &["fail", service, "--in", place, "--how", how]);
            }
            Step::Heal { service, place } => {
                each(&[&envoy, &meshd], &["heal", service, "--in", place]);
            }
            Step::Ask { variable, sent } => {
                let ask = || [&envoy, &meshd].map(|mesh| outcome::of(mesh, variable, sent));
                // Where the client chooses the id of its requests, one that is asked again goes on counting: what is compared
                // is how often each was sent, also if one of them did not arrive at first.
                let mut counted = [0, 0];
                let mut ask_again = || {
                    let mut outcomes = ask();
                    for (outcome, counted) in outcomes.iter_mut().zip(&mut counted) {
                        *outcome = outcome::since(outcome, counted);
                    }
                    outcomes
                };
                let mut outcomes = ask_again();
                let mut again = 0;
                while !outcome::alike(&outcomes) && again < AGAIN {
                    if any_subset_will_do(&outcomes, ask) {
                        outcomes = [String::new(), String::new()];
                        break;
                    }
                    std::thread::sleep(PAUSE);
                    outcomes = ask_again();
                    again += 1;
                }
                if !outcome::alike(&outcomes) {
                    let [envoy, meshd] = outcomes;
                    return Verdict::Differs(Difference { step: Some(number), envoy, meshd });
                }
                fleeting += usize::from(again > 0);
            }
        }
    }
    Verdict::Same { fleeting }
}

/// The mesh on a data plane, or why it does not start. What others on this machine have taken is waited for: the kernel
/// counts the inotify instances of a user, and each proxy needs some.
fn started(source: &str, plane: DataPlane) -> Result<Mesh, String> {
    let mut waited = 0;
    loop {
        let panic = match catch_unwind(AssertUnwindSafe(|| Mesh::up(source, plane))) {
            Ok(mesh) => return Ok(mesh),
            Err(panic) => panic,
        };
        let why = panic.downcast_ref::<String>().map_or("does not start", String::as_str);
        // Said by `meshc`, or by an Envoy that others were faster than.
        if !why.contains("inotify") || waited == PATIENCE {
            return Err(format!("does not start: {}", why.lines().last().unwrap_or_default()));
        }
        waited += 1;
        std::thread::sleep(LATER);
    }
}

/// Whether the two differ only in which subset of a service answered, and each of them answers on both data planes: a call
/// to the service itself reaches the pods of all.
fn any_subset_will_do(outcomes: &[String; 2], ask: impl Fn() -> [String; 2]) -> bool {
    let masked = |outcome: &String| outcome.replace(".v1 in", " in").replace(".v2 in", " in");
    if !outcome::alike(&[masked(&outcomes[0]), masked(&outcomes[1])]) {
        return false;
    }
    let seen: Vec<[String; 2]> = (0..ROUNDS).map(|_| ask()).collect();
    // Where the client chooses the id of its requests, each is one more attempt.
    let of = |plane: usize| {
        let outcomes = seen.iter().map(|outcomes| outcome::without_attempt(&outcomes[plane]));
        outcomes.collect::<BTreeSet<_>>()
    };
    of(0) == of(1)
}

/// Tells each mesh something. What a smaller mesh lacks cannot fail there.
fn each(meshes: &[&Mesh], arguments: &[&str]) {
    for mesh in meshes {
        mesh.try_meshc(arguments);
    }
}
