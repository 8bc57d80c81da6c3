//! The committed descriptors are exactly what the pinned envoy-types release yields.
//!
//! To write them anew after raising that release: `MESH_BLESS=1 cargo test -p meshc-envoy --test descriptors`.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that reads the registry's copy of a dependency; it fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FieldOptions};
use prost_types::{FileDescriptorProto, FileDescriptorSet, MessageOptions};

#[test]
fn the_committed_descriptors_are_those_of_the_pinned_release() {
    let source =
        std::fs::read(envoy_types().join("src/generated/types.bin")).expect("the release has descriptors");
    let reduced =
        reduce(FileDescriptorSet::decode(source.as_slice()).expect("descriptors decode")).encode_to_vec();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("descriptors/envoy.bin");
    if std::env::var("MESH_BLESS").is_ok() {
        std::fs::write(&committed, &reduced).expect("the descriptors can be written");
    }
    let committed = std::fs::read(&committed).expect("the descriptors are committed");
    assert!(committed == reduced, "descriptors/envoy.bin is not what this test makes of the pinned release");
}

/// The folder of the envoy-types release that the lock file names.
fn envoy_types() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    let package = packages.iter().find(|package| package["name"] == "envoy-types").expect("a dependency");
    let manifest = package["manifest_path"].as_str().expect("a package has a manifest");
    Path::new(manifest).parent().expect("a manifest lies in a folder").to_owned()
}

/// Keeps the messages and enums that the roots can reach, without comments, services, extensions and options other
/// than those that say what a map is and what is deprecated.
fn reduce(set: FileDescriptorSet) -> FileDescriptorSet {
    let mut homes = BTreeMap::new();
    for file in &set.file {
        for message in &file.message_type {
            homes.insert(
                format!(".{}.{}", file.package(), message.name()),
                (file.name().to_owned(), references(message)),
            );
        }
        for item in &file.enum_type {
            homes
                .insert(format!(".{}.{}", file.package(), item.name()), (file.name().to_owned(), Vec::new()));
        }
    }
    let mut wanted = BTreeSet::new();
    let mut open: Vec<String> = meshc_envoy::roots().iter().map(|root| format!(".{root}")).collect();
    while let Some(name) = open.pop() {
        let home = home_of(&homes, &name);
        if wanted.insert(home.clone()) {
            open.extend(homes[&home].1.iter().cloned());
        }
    }
    let file = set.file.into_iter().filter_map(|file| reduce_file(file, &wanted, &homes)).collect();
    FileDescriptorSet { file }
}

type Homes = BTreeMap<String, (String, Vec<String>)>;

/// The top-level type that a name is, or is nested in.
fn home_of(homes: &Homes, name: &str) -> String {
    let mut candidate = name;
    while !homes.contains_key(candidate) {
        candidate = candidate.rsplit_once('.').unwrap_or_else(|| panic!("{name} is nowhere declared")).0;
    }
    candidate.to_owned()
}

fn references(message: &DescriptorProto) -> Vec<String> {
    let own =
        message.field.iter().filter(|field| !field.type_name().is_empty()).map(|f| f.type_name().to_owned());
    own.chain(message.nested_type.iter().flat_map(references)).collect()
}

fn reduce_file(
    file: FileDescriptorProto,
    wanted: &BTreeSet<String>,
    homes: &Homes,
) -> Option<FileDescriptorProto> {
    let keep = |name: &str| wanted.contains(&format!(".{}.{name}", file.package()));
    let message_type: Vec<_> =
        file.message_type.iter().filter(|message| keep(message.name())).map(reduce_message).collect();
    let enum_type: Vec<_> = file.enum_type.iter().filter(|item| keep(item.name())).map(reduce_enum).collect();
    let dependency: BTreeSet<String> = message_type
        .iter()
        .flat_map(references)
        .map(|name| homes[&home_of(homes, &name)].0.clone())
        .filter(|name| name != file.name())
        .collect();
    (!message_type.is_empty() || !enum_type.is_empty()).then(|| FileDescriptorProto {
        name: file.name.clone(),
        package: file.package.clone(),
        syntax: file.syntax.clone(),
        dependency: dependency.into_iter().collect(),
        message_type,
        enum_type,
        ..Default::default()
    })
}

fn reduce_message(message: &DescriptorProto) -> DescriptorProto {
    let is_map = message.options.as_ref().is_some_and(|options| options.map_entry());
    DescriptorProto {
        name: message.name.clone(),
        field: message.field.iter().map(reduce_field).collect(),
        nested_type: message.nested_type.iter().map(reduce_message).collect(),
        enum_type: message.enum_type.iter().map(reduce_enum).collect(),
        options: is_map.then(|| MessageOptions { map_entry: Some(true), ..Default::default() }),
        oneof_decl: message.oneof_decl.clone(),
        ..Default::default()
    }
}

fn reduce_field(field: &FieldDescriptorProto) -> FieldDescriptorProto {
    let deprecated = field.options.as_ref().is_some_and(|options| options.deprecated());
    FieldDescriptorProto {
        options: deprecated.then(|| FieldOptions { deprecated: Some(true), ..Default::default() }),
        ..field.clone()
    }
}

fn reduce_enum(item: &EnumDescriptorProto) -> EnumDescriptorProto {
    let mut item = item.clone();
    let aliases = item.options.as_ref().is_some_and(|options| options.allow_alias());
    item.options =
        aliases.then(|| prost_types::EnumOptions { allow_alias: Some(true), ..Default::default() });
    for value in &mut item.value {
        value.options = None;
    }
    item
}
