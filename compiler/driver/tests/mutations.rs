//! Meshes with small mistakes anywhere never crash a stage, and what has no error can be built.
//!
//! The short form takes a second or two; a long one goes on from a seed:
//!
//!     MESH_ROUNDS=24000 MESH_SEED=7 cargo test -p meshc-driver --test mutations
//!
//! A failure names the seed of its round; `MESH_ROUNDS=1` with that seed repeats it alone.

#![expect(clippy::disallowed_methods, reason = "how many rounds are run is asked for by environment")]
#![expect(clippy::unwrap_used, reason = "helpers fail by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test that is out of range has failed")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use lang_diagnostics::{RenderOptions, render_text};
use meshc_driver::{Forms, MemoryFileSystem, Options, build, check};
use meshc_vocabulary::model::DataPlane;

const MESHES: [&str; 2] = [
    include_str!("../../../tests/fixtures/acme.mesh"),
    include_str!("../../../examples/single-cluster/mesh.mesh"),
];

/// Pieces that mean something somewhere.
const PIECES: [&str; 30] = [
    "{",
    "}",
    "[",
    "]",
    "=",
    ",",
    "..",
    "\"",
    "//",
    "/*",
    "0",
    "-1",
    "99999999999999999999",
    "10s",
    "0s",
    "5%",
    "1/min",
    "true",
    "null",
    "west",
    "port",
    "service",
    "policy",
    "gateway",
    "language 2",
    "import \"x\"",
    "\\u{0}",
    "\u{fffd}",
    "\r\n",
    "é",
];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides.max(1) as u64).unwrap()
    }
}

/// Words, spaces and single signs.
fn pieces(text: &str) -> Vec<String> {
    let kind = |c: char| {
        if c.is_alphanumeric() || c == '_' || c == '-' { 1 } else { 2 + u32::from(c.is_whitespace()) }
    };
    let mut pieces: Vec<String> = Vec::new();
    let mut last = 0;
    for c in text.chars() {
        let now = kind(c);
        match pieces.last_mut().filter(|_| now == last && now != 2) {
            Some(piece) => piece.push(c),
            None => pieces.push(c.to_string()),
        }
        last = now;
    }
    pieces
}

/// One of the meshes with up to four changes.
fn mutated(seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut pieces = pieces(MESHES[dice.roll(MESHES.len())]);
    for _ in 0..=dice.roll(4) {
        let (at, other) = (dice.roll(pieces.len()), dice.roll(pieces.len()));
        match dice.roll(7) {
            0 => {
                pieces.remove(at);
            }
            1 => pieces.swap(at, other),
            2 => pieces[at] = pieces[other].clone(),
            3 => pieces.insert(at, PIECES[dice.roll(PIECES.len())].to_owned()),
            4 => pieces[at] = PIECES[dice.roll(PIECES.len())].to_owned(),
            5 => {
                let (from, to) = (at.min(other), at.max(other).min(at.min(other) + 200));
                let copy = pieces[from..to].to_vec();
                pieces.splice(from..from, copy);
            }
            _ => pieces.truncate(at.max(1)),
        }
    }
    pieces.concat()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[test]
fn no_mutation_crashes_a_stage() {
    let first = number("MESH_SEED").unwrap_or(1);
    let (mut wrong, mut right) = (0, 0);
    for seed in first..first + number("MESH_ROUNDS").unwrap_or(150) {
        let text = mutated(seed);
        let files = MemoryFileSystem::with(&[("mesh.mesh", &text)]);
        let data_plane = [DataPlane::Envoy, DataPlane::Meshd][usize::try_from(seed % 2).unwrap()];
        let round = || {
            let options = Options { data_plane: Some(data_plane) };
            let mut compilation = check(&files, Path::new("mesh.mesh"), options).unwrap();
            let said = render_text(
                &compilation.diagnostics,
                &compilation.sources,
                RenderOptions { width: 100, color: false },
            );
            if compilation.has_errors() {
                assert!(!said.is_empty(), "an error without a word");
                return false;
            }
            // What the backends find is an error then, and never a crash or a tree without a file.
            let built = build(&mut compilation, Forms::Watched, "roots");
            assert_eq!(built.is_none(), compilation.has_errors());
            true
        };
        match catch_unwind(AssertUnwindSafe(round)) {
            Ok(true) => right += 1,
            Ok(false) => wrong += 1,
            Err(_) => panic!("seed {seed} crashed:\n{text}"),
        }
    }
    assert!(wrong > right, "{wrong} wrong, {right} right");
}
