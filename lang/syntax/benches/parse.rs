//! Throughput of lexer, parser, printer and formatter over a generated mesh of about 2 MB: `cargo bench -p lang-syntax`.

use std::fmt::Write as _;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use lang_diagnostics::{FileId, Sink};
use lang_syntax::{format, lex, parse, print};

fn main() {
    divan::main();
}

/// A mesh of `services` services, each with what real ones have: ports, calls, a policy, comments.
fn mesh(services: usize) -> String {
    let mut text = String::from(
        "language 1\n\nmesh usmesh {\n  trust_domain = \"cluster.local\"\n}\n\nnamespace shop {\n",
    );
    for number in 0..services {
        let (callee, limit) = ((number * 7 + 1) % services, number % 90 + 10);
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            r#"  /// Service {number} of the shop.
  service service-{number} {{
    clusters = [west, east]
    port http {{ number = 80, target = 8080 }}
    port metrics {{ number = 9090 }}
    calls    = [service-{callee}, payments.gateway]   // and nothing else
    labels   = {{ "app.kubernetes.io/name" = "service-{number}", tier = "backend-${{zone}}" }}
  }}

  policy limits-{number} {{
    targets  = [service-{number}]
    outlier  {{ consecutive_5xx = 1, interval = 20s, ejection = 30s }}
    allow {{ from = [west.ingress, service-{callee}] }}
    rate_limit {{
      match     {{ path = "/items/{number}" }}
      tiers     = {{ gold = {limit}/min, silver = 5/min, bronze = 3/min }}
      otherwise = 1/min
    }}
  }}

"#
        );
    }
    text.push_str("}\n");
    text
}

const SERVICES: usize = 3000;

#[divan::bench]
fn lexer(bencher: Bencher<'_, '_>) {
    let text = mesh(SERVICES);
    bencher.counter(BytesCount::of_str(&text)).bench(|| lex(black_box(&text)));
}

#[divan::bench]
fn lexer_and_parser(bencher: Bencher<'_, '_>) {
    let text = mesh(SERVICES);
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let mut sink = Sink::default();
        let tree = parse(FileId(0), black_box(&text), &mut sink);
        assert!(!sink.has_errors(), "the generated mesh is correct");
        tree
    });
}

#[divan::bench]
fn printer(bencher: Bencher<'_, '_>) {
    let text = mesh(SERVICES);
    let tree = parse(FileId(0), &text, &mut Sink::default());
    bencher.counter(BytesCount::of_str(&text)).bench(|| print(black_box(&tree)));
}

/// What `meshc fmt` does with a file: it looks for mistakes first.
#[divan::bench]
fn formatter(bencher: Bencher<'_, '_>) {
    let text = mesh(SERVICES);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| format(FileId(0), black_box(&text), &mut Sink::default()));
}
