//! However many cores work on a mesh, what is said of it and what is planned is the same, also where it has mistakes.
//! How many meshes are tried: `PROPTEST_CASES=1000 cargo test --workspace --test cores`.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that reads how long it runs from the environment"
)]

use std::fmt::Write;
use std::path::PathBuf;

use lang_diagnostics::{RenderOptions, render_text};
use meshc_driver::{Levels, MemoryFileSystem, Options, Request, analyze, check_request, findings};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Without `PROPTEST_CASES` the same few each time.
fn cases() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()) {
        Some(cases) => ProptestConfig { cases, ..config },
        None => ProptestConfig { cases: 12, rng_seed: RngSeed::Fixed(7), ..config },
    }
}

/// A mesh that is worth several threads in each stage: more than 64 proxies, and longer than two pieces of text.
fn mesh() -> String {
    let mut text = String::from(
        "mesh m { trust_domain = \"mesh.example\" }\n\n\
         network n {}\n\ncluster west { network = n, region = \"west\", zone = \"${east.zone}\", \
         gateway in { role = ingress, address = 192.0.2.1, port http { number = 80 } }, \
         gateway ew { role = east_west, address = 198.51.100.1 } }\n\n\
         cluster east { network = n, region = \"${west.region}er\", zone = \"1\", \
         gateway ew { role = east_west, address = 198.51.100.2 } }\n\n",
    );
    for space in 0..24 {
        let next = (space + 1) % 24;
        let _ = write!(
            text,
            "/// One of many.\nnamespace a{space} {{\n  service b {{\n    clusters = [west, east]\n    \
             port http {{ number = 80 }}\n    calls = [c, a{next}.b, a{next}.c]\n  }}\n  service c {{\n    \
             clusters = [east]\n    port http {{ number = 80 }}\n  }}\n  \
             route r {{\n    callee = c\n    rule {{ match {{ prefix = \"/a{space}\" }}, to = a{next}.b }}\n  }}\n  \
             policy p {{ targets = [c], timeout {{ request = 2s }}, retry {{ attempts = 2 }} }}\n}}\n\n"
        );
        text.push_str(&format!("// {}\n", "long ".repeat(600)));
    }
    text
}

/// What is put into it.
const ODD: &[&str] = &[
    "}",
    "\n}\n",
    "{",
    "\"",
    "x",
    " service d { clusters = [east], port http { number = 80 }, calls = [b, nobody] } ",
    "[",
    "1",
    " vip = 10.0.0.1 ",
    "\n  policy q { outlier { consecutive_5xx = 3 } }\n",
    " calls = [a1.b] ",
    "${west.zone}",
];

/// Everything that is found, with the whole plan or without, and where names are mentioned.
fn everything(text: &str) -> [String; 4] {
    let files = MemoryFileSystem::with(&[("mesh.mesh", text)]);
    let request = Request {
        entries: vec![PathBuf::from("mesh.mesh")],
        definitions: Vec::new(),
        values: Vec::new(),
        options: Options { data_plane: None },
    };
    let render = RenderOptions { width: 100, color: false };
    let whole = check_request(&files, &request, &Levels::default()).unwrap();
    let found = findings(&files, &request, &Levels::default()).unwrap();
    assert!(found.mesh.is_none());
    let analysis = analyze(&files, &request).unwrap();
    let declarations = &analysis.declared.declarations;
    [
        render_text(&whole.diagnostics, &whole.sources, render),
        render_text(&found.diagnostics, &found.sources, render),
        format!("{:?}", whole.mesh.map(|mesh| mesh.plan)),
        format!("{:?} {:?} {:?}", declarations.blocks, declarations.mentions(), analysis.trees),
    ]
}

#[test]
fn a_mesh_of_this_size_is_sound() {
    let [found, _, plan, _] = everything(&mesh());
    assert!(!found.contains("error"), "{found}");
    assert!(plan.matches("ProxyPlan {").count() > 64, "{plan}");
    assert!(mesh().len() > 64 << 10);
}

#[test]
fn mistakes_of_many_services_are_the_same() {
    let text = mesh()
        .replace("clusters = [east]", "clusters = [east, east]")
        .replace("calls = [c,", "calls = [c, c,");
    let [one, ..] = lang_parallel::on(1, || everything(&text));
    assert_eq!(one.matches("this cluster is listed").count(), 24, "{one}");
    for threads in [2, 5] {
        let [several, ..] = lang_parallel::on(threads, || everything(&text));
        assert_eq!(several, one, "{threads} threads");
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_number_of_cores_says_the_same(
        odd in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(ODD)), 0..3),
    ) {
        let mut text = mesh();
        for (at, odd) in odd {
            text.insert_str(at.index(text.len()), odd);
        }
        let one = lang_parallel::on(1, || everything(&text));
        let [whole, findings, ..] = &one;
        prop_assert_eq!(whole, findings);
        for threads in [2, 5] {
            let several = lang_parallel::on(threads, || everything(&text));
            for (one, several) in one.iter().zip(&several) {
                prop_assert!(one == several, "{} threads:\n{}\n{}", threads, one, several);
            }
        }
    }
}
