//! Meshes of several files: what they use, where they may not look, and what queries say of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers fail by panicking")]

use std::path::{Path, PathBuf};

use meshc_driver::{Compilation, Levels, MemoryFileSystem, Options, Request, check, check_request, query};

const STANDARD: &str = include_str!("../../../tests/golden/expand/standard-library/mesh.mesh");

fn request(entries: &[&str], definitions: &[&str], values: &[&str]) -> Request {
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect();
    Request {
        entries: paths(entries),
        definitions: definitions.iter().map(|one| (*one).to_owned()).collect(),
        values: paths(values),
        options: Options { data_plane: None },
    }
}

fn codes(compilation: &Compilation) -> Vec<&str> {
    compilation.diagnostics.iter().map(|one| one.code.0).collect()
}

/// Every template of the standard library is applied in this mesh, and it compiles on both data planes.
#[test]
fn the_standard_library_compiles() {
    let files = MemoryFileSystem::with(&[("mesh.mesh", STANDARD)]);
    let compilation = check(&files, Path::new("mesh.mesh"), Options { data_plane: None }).unwrap();
    let errors: Vec<_> = codes(&compilation).into_iter().filter(|code| code.starts_with('E')).collect();
    assert!(errors.is_empty(), "{:#?}", compilation.diagnostics);
    for (module, text) in meshc_stdlib::MODULES {
        let names = text.lines().filter_map(|line| line.strip_prefix("template "));
        for name in names.map(|rest| rest.split(['(', ' ']).next().unwrap_or_default()) {
            assert!(STANDARD.contains(&format!("{module}.{name}")), "std.{module}.{name} is not applied");
        }
        for (before, line) in text.lines().zip(text.lines().skip(1)) {
            assert!(
                !line.starts_with("template ") || before.starts_with("///"),
                "{module}: {line} has no `///`"
            );
        }
    }
}

const HEAD: &str = "\
use std.clusters { single }
input size: integer(1, 9) = 2
mesh m { trust_domain = \"m.example\", trust = t }
trust t {}
apply single(name = west, region = \"us\", address = 192.0.2.10)
defaults { service { clusters = [west], account = \"${namespace}-${service}\" } }
use \"shop/shop.mesh\"
";

const SHOP: &str = "\
use std.resilience { standard }
namespace shop {
  service web { port http { number = 80 }, calls = [cart] }
  service cart { port http { number = 81 }, in west { replicas = 1 } }
  route web { gateway = west.ingress, hosts = [\"m.example\"], to = web }
  policy careful { targets = [cart], apply standard(timeout = 3s) }
}
";

const PRODUCTION: &str = "override namespace shop { service cart { in west { replicas = 6 } } }\n";

fn mesh() -> MemoryFileSystem {
    MemoryFileSystem::with(&[
        ("m/mesh.mesh", HEAD),
        ("m/shop/shop.mesh", SHOP),
        ("m/production.mesh", PRODUCTION),
        ("m/some.values", "size = 3\n"),
        ("secret.mesh", "namespace secret {}\n"),
    ])
}

#[test]
fn a_mesh_is_its_files_and_what_they_use() {
    let files = mesh();
    let compilation = check_request(&files, &request(&["m"], &["size=3"], &[]), &Levels::default()).unwrap();
    assert_eq!(codes(&compilation), [""; 0], "{:#?}", compilation.diagnostics);
    assert_eq!(compilation.name, "mesh.mesh");
    assert_eq!(compilation.files, ["m/mesh.mesh", "m/shop/shop.mesh"].map(PathBuf::from));
    let both = request(&["m/mesh.mesh", "m/production.mesh"], &[], &["m/some.values"]);
    let compilation = check_request(&files, &both, &Levels::default()).unwrap();
    assert_eq!(codes(&compilation), [""; 0], "{:#?}", compilation.diagnostics);
    let mesh = compilation.mesh.unwrap();
    let (_, cart) = mesh.model.services.iter().next().unwrap();
    assert_eq!(cart.account, "shop-cart");
    let wrong = check_request(&files, &request(&["m"], &["size=30"], &[]), &Levels::default()).unwrap();
    assert_eq!(codes(&wrong), ["E0138"]);
    let unread =
        check_request(&files, &request(&["nowhere.mesh"], &[], &[]), &Levels::default()).unwrap_err();
    assert!(unread.to_string().starts_with("cannot read `nowhere.mesh`"), "{unread}");
}

#[test]
fn a_module_outside_of_the_mesh_is_not_read() {
    let outside = HEAD.replace("shop/shop.mesh", "../secret.mesh");
    let files =
        MemoryFileSystem::with(&[("m/mesh.mesh", &outside), ("secret.mesh", "namespace secret {}\n")]);
    let compilation =
        check_request(&files, &request(&["m/mesh.mesh"], &[], &[]), &Levels::default()).unwrap();
    assert!(codes(&compilation).contains(&"E0131"), "{:#?}", compilation.diagnostics);
    assert_eq!(compilation.files, [PathBuf::from("m/mesh.mesh")]);
}

/// One mistake in a template is one error where the text is, with the place that applied it.
#[test]
fn a_mistake_in_an_instance_shows_the_template_and_the_instance() {
    let text = "\
mesh m { trust_domain = \"m.example\", trust = t }
trust t {}
network n {}
cluster west { network = n, region = \"us\" }
template web(name: string) {
  service \"${name}\" { clusters = [west], port http { number = 80, targte = 1 } }
}
namespace shop {
  apply web(name = \"a\")
  apply web(name = \"b\")
}
";
    let files = MemoryFileSystem::with(&[("mesh.mesh", text)]);
    let compilation = check(&files, Path::new("mesh.mesh"), Options { data_plane: None }).unwrap();
    let [only] = compilation.diagnostics.as_slice() else { panic!("{:#?}", compilation.diagnostics) };
    assert_eq!(only.code.0, "E0102");
    let line = |span| compilation.sources.line_column(span).unwrap().line;
    assert_eq!(line(only.primary.span), 6);
    let made = only.secondary.last().unwrap();
    assert_eq!((line(made.span), made.text.as_str()), (9, "made by template `web`, and once more elsewhere"));
    assert!(only.fix.is_some(), "a fix in a template is tried as any other: {only:#?}");
}

/// What a part of an answer says: value, who said so, and where.
fn part(compilation: &Compilation, question: &str, name: &str) -> (String, String, String) {
    let mesh = compilation.mesh.as_ref().unwrap();
    let answers = query(compilation, mesh, question).unwrap();
    let found = answers.iter().flat_map(|answer| &answer.parts).find(|part| part.name == name);
    let found = found.unwrap_or_else(|| panic!("{name}: {answers:#?}"));
    (found.value.clone(), found.from.clone(), found.place.clone())
}

fn said(value: &str, from: &str, place: &str) -> (String, String, String) {
    (value.to_owned(), from.to_owned(), place.to_owned())
}

#[test]
fn a_query_says_what_holds_and_who_said_so() {
    let files = mesh();
    let both = request(&["m/mesh.mesh", "m/production.mesh"], &[], &[]);
    let compilation = check_request(&files, &both, &Levels::default()).unwrap();
    let cart = |name| part(&compilation, "shop.cart", name);
    let default = "a default of service `cart`";
    assert_eq!(cart("clusters"), said("[west]", default, "m/mesh.mesh:6"));
    assert_eq!(cart("account"), said("\"shop-cart\"", default, "m/mesh.mesh:6"));
    assert_eq!(cart("port http.number"), said("81", "declared", "m/shop/shop.mesh:4"));
    assert_eq!(cart("in west.replicas"), said("6", "an override", "m/production.mesh:1"));
    let from = "policy `shop.careful`, template `standard`";
    assert_eq!(cart("timeout.request"), said("3s", from, "m/shop/shop.mesh:6"));
    assert_eq!(cart("retry.attempts").1, from);
    let (value, from, place) = cart("pool.max_connections");
    assert_eq!((value.as_str(), from.as_str()), ("1024", "the standard library"));
    assert!(place.starts_with("std/defaults.mesh:"), "{place}");
    let whole = part(&compilation, "shop.cart.account", "account");
    assert_eq!(whole.0, "\"shop-cart\"");
    assert_eq!(part(&compilation, "mesh.trust_domain", "trust_domain").1, "declared");
    assert_eq!(part(&compilation, "west.ingress", "role").1, "template `single`");

    let call = |name| part(&compilation, "shop.web -> shop.cart", name);
    assert_eq!(call("call").0, "shop.web -> shop.cart.http");
    assert_eq!(call("timeout"), said("3s", "policy `careful`", "std/resilience.mesh:7"));
    assert_eq!(call("idle").1, "the standard library");
    assert_eq!(call("admitted").0, "yes");
    assert_eq!(part(&compilation, "west.ingress -> shop.web", "call").0, "west.ingress -> shop.web.http");
}

/// What is short for a block is the block for whoever asks, completed and changed as one, and its places are those of what
/// is written.
#[test]
fn a_query_of_blocks_that_are_written_by_their_value() {
    let text = "\
use std.clusters
mesh shop = \"shop.example\"
apply clusters.single(local, \"here\", 192.0.2.10)
defaults { service { clusters = [local], port http { target = 8080 } } }
namespace shop {
  service web { port http = 80, calls = [orders] }
  service orders { port http = 81, in local = 2 }
  route web { gateway = local.ingress, hosts = [\"shop.example\"], to = web }
  policy calm { targets = [orders], timeout = 300ms, allow = [web] }
}
override namespace shop { service orders { port http = 82 }, policy calm { timeout = 1s } }
";
    let files = MemoryFileSystem::with(&[("mesh.mesh", text)]);
    let found = check_request(&files, &request(&["mesh.mesh"], &[], &[]), &Levels::default()).unwrap();
    assert_eq!(codes(&found), [""; 0], "{:#?}", found.diagnostics);
    let orders = |name| part(&found, "shop.orders", name);
    assert_eq!(orders("port http.number"), said("82", "an override", "mesh.mesh:11"));
    assert_eq!(orders("port http.target").1, "a default of service `orders`");
    assert_eq!(orders("in local.replicas"), said("2", "declared", "mesh.mesh:7"));
    assert_eq!(orders("timeout.request").0, "1s");
    assert_eq!(part(&found, "shop.calm", "allow.from"), said("[web]", "declared", "mesh.mesh:9"));
    assert_eq!(part(&found, "mesh.trust_domain", "trust_domain").2, "mesh.mesh:2");
}

#[test]
fn a_question_without_an_answer_is_answered_with_what_there_is() {
    let compilation = check_request(&mesh(), &request(&["m"], &[], &[]), &Levels::default()).unwrap();
    let mesh = compilation.mesh.as_ref().unwrap();
    let no = |question: &str| {
        let nothing = query(&compilation, mesh, question).unwrap_err();
        (nothing.message, nothing.help)
    };
    let pair = |message: &str, help: &str| (message.to_owned(), help.to_owned());
    assert_eq!(no("shop.crat"), pair("there is no `shop.crat`", "did you mean `shop.cart`?"));
    assert_eq!(
        no("shop.web -> shop.crat"),
        pair("there is no service `shop.crat`", "did you mean `shop.cart`?")
    );
    let (message, help) = no("shop.cart -> shop.web");
    assert_eq!(message, "`shop.cart` does not call `shop.web`");
    assert_eq!(help, "`shop.web` is called by west.ingress");
    assert_eq!(no("[").0, "`[` is not a question about a mesh");
}

/// A default of the wrong type is one error, whether no service takes it over or several do.
#[test]
fn a_default_of_the_wrong_type_is_one_error() {
    let text = |services: &str| {
        format!(
            "{}defaults {{ service {{ port web {{ number = \"x\" }} }} }}\nnamespace shop {{ {services} }}\n",
            HEAD.lines()
                .filter(|line| !line.contains("shop.mesh"))
                .fold(String::new(), |all, line| all + line + "\n")
        )
    };
    for services in ["", "service a { port web { number = 1 } }", "service a {}\nservice b {}"] {
        let files = MemoryFileSystem::with(&[("mesh.mesh", &text(services))]);
        let compilation = check(&files, Path::new("mesh.mesh"), Options { data_plane: None }).unwrap();
        assert_eq!(codes(&compilation), ["E0104"], "{services}: {:#?}", compilation.diagnostics);
        let place = compilation.sources.text(compilation.diagnostics[0].primary.span);
        assert_eq!(place, Some("\"x\""), "{services}");
    }
}
