//! The invariants of the fuzz targets over the inputs that fuzzing starts from, and over each cut in the middle.

use mesh_fuzz::{Seeds, source, wire};

#[test]
fn every_mesh_of_the_repository_keeps_the_invariants() {
    let seeds = Seeds::of_the_workspace().expect("the workspace can be read");
    assert!(seeds.source.len() > 100, "meshes are found: {}", seeds.source.len());
    for mesh in &seeds.source {
        source(mesh);
        source(&mesh[..mesh.len() / 2]);
    }
}

#[test]
fn every_configuration_and_a_real_hello_keep_the_invariants() {
    let seeds = Seeds::of_the_workspace().expect("the workspace can be read");
    assert!(seeds.wire.len() > 4, "configurations are found: {}", seeds.wire.len());
    for input in &seeds.wire {
        wire(input);
        wire(&input[..input.len() / 2]);
    }
}
