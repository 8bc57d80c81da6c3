//! One mistake costs one error, measured: every token of a mesh is deleted, doubled or replaced, one at a time.

use lang_diagnostics::{FileId, Sink};
use lang_syntax::ast::{File, Item};
use lang_syntax::{Token, lex, parse};

const MESH: &str = r#"language 1

mesh usmesh {
  trust_domain = "cluster.local"
  data_plane   = envoy // or meshd
}

trust acme {
  issuer = files { root = { certificate = "root.pem" } }
  root   { common_name = "root.${domain}", lifetime = 10y }
}

cluster west {
  network = west-net
  gateway ingress {
    address = 172.18.255.200
    port http { number = 80 }
  }
}

namespace shop {
  /// The shop's front end.
  service webapp {
    clusters = [west, east]
    calls    = [catalog, "odd name".orders]
    in east { replicas = 3 }
  }

  policy loyalty {
    targets = [
      catalog,
      webapp in west -> catalog in east,
    ]
    rate_limit {
      tiers     = { gold = 10/min, silver = 5/min }
      otherwise = 1/min
    }
  }
}

network last {}
"#;

/// The tree, and how many mistakes were reported.
fn parsed(text: &str) -> (File, usize) {
    let mut sink = Sink::default();
    let file = parse(FileId(0), text, &mut sink);
    (file, sink.diagnostics().len())
}

/// The tokens that are more than white space and comments.
fn significant() -> Vec<Token> {
    lex(MESH).into_iter().filter(|token| !token.kind.is_trivia() && token.start < token.end).collect()
}

/// The mesh with one token replaced.
fn with(token: Token, replacement: &str) -> String {
    format!("{}{replacement}{}", &MESH[..token.start as usize], &MESH[token.end as usize..])
}

/// How many changes, each of one token, were reported how often: at index 0 those that left the text correct.
fn counted(change: impl Fn(&str) -> String) -> Vec<usize> {
    let mut counts = Vec::new();
    for token in significant() {
        let (_, reports) = parsed(&with(token, &change(&MESH[token.start as usize..token.end as usize])));
        if counts.len() <= reports {
            counts.resize(reports + 1, 0);
        }
        if let Some(count) = counts.get_mut(reports) {
            *count += 1;
        }
    }
    counts
}

#[test]
fn the_mesh_is_correct() {
    assert_eq!(parsed(MESH).1, 0);
}

#[test]
fn a_missing_token_is_at_most_one_error() {
    assert!(counted(|_| String::from(" ")).len() <= 2);
}

#[test]
fn a_doubled_token_is_at_most_one_error() {
    assert!(counted(|text| format!("{text} {text}")).len() <= 2);
}

/// What stands in the wrong place can be two mistakes: something is there, and something is not there.
#[test]
fn a_wrong_token_is_hardly_ever_more_than_one_error() {
    for wrong in [" ; ", " = ", " ] ", " \" "] {
        let counts = counted(|_| wrong.to_owned());
        let tokens: usize = counts.iter().sum();
        let several: usize = counts.iter().skip(2).sum();
        assert!(several * 7 <= tokens && counts.len() <= 4, "{wrong}: {counts:?}");
    }
}

/// Whatever one token breaks, the last item of the file is read.
#[test]
fn the_rest_of_the_file_is_still_read() {
    let last = MESH.rfind("network").expect("the last item") as u32;
    for token in significant().into_iter().filter(|token| token.start < last) {
        for replacement in [" ", " ; ", " = ", " ] ", " } ", " { ", " \" "] {
            let text = with(token, replacement);
            let (file, _) = parsed(&text);
            assert!(has_block(&file.items, "last"), "{text}");
        }
    }
}

fn has_block(items: &[Item], label: &str) -> bool {
    items.iter().any(|item| match item {
        Item::Block(block) => {
            block.label.as_ref().is_some_and(|name| name.value == label) || has_block(&block.body, label)
        }
        Item::Attribute(_) | Item::Form(_) => false,
    })
}
