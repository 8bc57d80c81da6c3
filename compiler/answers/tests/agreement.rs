//! What the plan says of every call agrees with what the resolution says of it, over the examples and a mesh of many shapes.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "the meshes lie on the disk")]

use std::path::Path;

use lang_diagnostics::{Origin, Sink, SourceMap, Span, Spanned};
use lang_expand::{StandardLibrary, expand_text};
use meshc_answers::{Truth, World, ask};
use meshc_resolve::{Access, CalledPort, Caller, Peer};
use meshc_vocabulary::model::{Callee, Id, Mtls, Service};
use meshc_vocabulary::testing::{CallFrom, CallTest, CallTo, Expected, Test};

/// How many calls were compared, by what the resolution says of them: admitted, refused, by request, not declared.
type Compared = [usize; 4];

fn compare(path: &Path) -> Compared {
    let mut text = std::fs::read_to_string(path).unwrap();
    // Without a test nothing is kept to ask about.
    text.push_str("\ntest \"none of its own\" {}\n");
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let id = sources.add("mesh.mesh", text.as_str());
    let file = lang_syntax::parse(id, &text, &mut sink);
    let library = StandardLibrary(meshc_stdlib::MODULES);
    let trees = expand_text(file, meshc_vocabulary::SCHEMA, library, &mut sources, &mut sink);
    let (model, tests) =
        meshc_vocabulary::model(&meshc_vocabulary::declare(&trees, &mut sources, &mut sink), &mut sink)
            .expect("it has no mistake");
    let mut tests = tests.expect("it has a test");
    let resolved = meshc_resolve::resolve(&model);
    let topology = meshc_topology::build(&resolved);
    let plan = meshc_plan::lower(&resolved, &topology, &mut sink);
    let world = World::new(&resolved, &topology, &plan);
    let span = Span::new(id, 0, 0);
    let mut is = |from: Id<Service>, to: Id<Service>, port: &str, expected: Expected| {
        let call = CallTest {
            origin: Origin::new(span, String::from("a call")),
            from: CallFrom::Service(from, None),
            to: CallTo { callee: Callee::Service(to), port: Some(port.to_owned()), cluster: None },
            request: None,
            expected: vec![Spanned::new(expected, span)],
        };
        let origin = Origin::new(span, String::from("a test"));
        let test = Test { origin, name: String::new(), fail: vec![], calls: vec![call], assertions: vec![] };
        tests.tests = vec![test];
        meshc_answers::run(&world, &tests, &|_| true).iter().all(|report| report.findings.is_empty())
    };
    let mut asked_about = SourceMap::default();
    let mut compared = [0; 4];
    for (from, _) in model.whole_services().filter(|(id, _)| model.limiter != Some(*id)) {
        for (to, callee) in model.whole_services().filter(|(id, _)| model.limiter != Some(*id)) {
            for (position, port) in callee.ports.iter().enumerate() {
                let what =
                    format!("{} -> {}.{}", model.service_name(from), model.service_name(to), port.name);
                let peer = Peer::of_service(&model, from);
                let is_the_peer = |edge: &meshc_resolve::Edge<'_>| {
                    edge.ports.contains(&position) && edge.caller.peer(&model) == peer
                };
                let call = CalledPort { caller: from, callee: to, port: position };
                let declared = resolved.incoming(to).any(|edge| {
                    matches!(edge.caller, Caller::Service(id) if id == from) && edge.ports.contains(&position)
                });
                let (allowed, refused) = (
                    is(from, to, &port.name, Expected::Allowed),
                    is(from, to, &port.name, Expected::Refused),
                );
                // A route may lead elsewhere, subsets have callers of their own, and plain connections have no caller.
                if resolved.route_of(call).is_some()
                    || port.mtls != Mtls::Strict
                    || !callee.subsets.is_empty()
                {
                    continue;
                }
                let asked =
                    format!("can {} call {}.{}", model.service_name(from), model.service_name(to), port.name);
                let file = asked_about.add("question", asked.as_str());
                let verdict = ask::ask(&world, file, &asked).unwrap().verdict;
                let said = match (allowed, refused) {
                    (true, _) => Truth::Yes,
                    (false, true) => Truth::No,
                    (false, false) => Truth::Depends,
                };
                // What is reached only because a route sends there what others are called for is no declared call.
                if declared || !resolved.incoming(to).any(is_the_peer) {
                    assert_eq!(verdict, said, "{asked}");
                } else {
                    assert_ne!(verdict, Truth::No, "{asked}");
                }
                if !resolved.incoming(to).any(is_the_peer) {
                    assert_eq!((allowed, refused), (false, true), "{what} is not declared");
                    compared[3] += 1;
                } else if declared {
                    let expected = match resolved.access(peer, to, port) {
                        Access::Admitted => (0, (true, false)),
                        Access::Refused(_) => (1, (false, true)),
                        Access::ByRequest { .. } => (2, (false, false)),
                    };
                    assert_eq!((allowed, refused), expected.1, "{what}");
                    compared[expected.0] += 1;
                }
            }
        }
    }
    compared
}

#[test]
fn the_plan_and_the_resolution_agree_about_every_call() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = [0; 4];
    let examples = ["acme", "bookinfo", "canary", "emojivoto", "online-boutique", "single-cluster"];
    let examples = examples.map(|name| root.join("examples").join(name).join("mesh.mesh"));
    let others = ["plan/many-shapes", "answers/met-everything"]
        .map(|name| root.join("tests/golden").join(name).join("mesh.mesh"));
    for path in examples.iter().chain(&others) {
        for (sum, here) in all.iter_mut().zip(compare(path)) {
            *sum += here;
        }
    }
    let [admitted, _, by_request, undeclared] = all;
    assert!(admitted > 20 && by_request > 0 && undeclared > 100, "{all:?}");
}
