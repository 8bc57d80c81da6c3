//! Who may call, by which rule.

use meshc_resolve::{Access, Peer, Refusal, resolve};
use meshc_vocabulary::Model;
use meshc_vocabulary::model::PathMatch;

use crate::support::{mesh, port, service};

const MESH: &str = r#"
namespace shop {
  client web { clusters = [west], calls = [api, old, off] }
  client twin { clusters = [west], account = "web", calls = [api] }
  client batch { clusters = [west], calls = [api, old] }
  service api { clusters = [west], port http { number = 80 }, port admin { number = 81, mtls = permissive } }
  service old { clusters = [west], port http { number = 80, mtls = permissive } }
  service off { clusters = [west], port http { number = 80, mtls = off } }
  service free { clusters = [west], port http { number = 80 } }
  route free { gateway = west.ingress, hosts = ["free.example"], to = free }

  policy api {
    targets = [api]
    allow { from = [web], match { prefix = "/items" } }
    allow { from = [shop], match { path = "/health" } }
    deny  { from = [batch], match { path = "/health" } }
    deny  { from = [batch], match { path = "/other" } }
  }
  policy old {
    targets = [old, off]
    allow { from = [web, unauthenticated] }
    deny  { from = [unauthenticated], match { prefix = "/keys" } }
  }
}
"#;

/// What one caller may do at a port.
fn access<'m>(model: &'m Model, who: &str, callee: &str, name: &str) -> String {
    let resolved = resolve(model);
    let who = match who {
        "" => Peer::Unauthenticated,
        "west.ingress" => Peer::Gateway(model.gateways.ids().next().unwrap()),
        _ => Peer::of_service(model, service(model, who)),
    };
    let callee = service(model, callee);
    let paths = |rules: &[&'m meshc_vocabulary::model::HttpMatch]| -> Vec<String> {
        rules
            .iter()
            .map(|matches| match &matches.path {
                PathMatch::Any => String::from("*"),
                PathMatch::Exact(path)
                | PathMatch::Prefix(path)
                | PathMatch::StartsWith(path)
                | PathMatch::Regex(path) => path.clone(),
            })
            .collect()
    };
    match resolved.access(who, callee, port(model, callee, name)) {
        Access::Admitted => String::from("admitted"),
        Access::Refused(Refusal::NoIdentity) => String::from("refused without identity"),
        Access::Refused(Refusal::NotAllowed(rules)) => format!("none of {} rules allows it", rules.len()),
        Access::Refused(Refusal::Denied(rules)) => {
            let matches: Vec<_> = rules.iter().flat_map(|rule| &rule.requests.matches).collect();
            format!("denied: {}", paths(&matches).join(", "))
        }
        Access::ByRequest { admitted, denied } => {
            let denied: Vec<_> = denied.iter().flat_map(|rule| &rule.requests.matches).collect();
            format!("{} but {:?}", paths(&admitted).join(", "), paths(&denied))
        }
    }
}

#[test]
fn the_deciding_rule_is_found() {
    let model = mesh(MESH);
    let access = |who, callee, port| access(&model, who, callee, port);
    assert_eq!(access("west.ingress", "shop.free", "http"), "admitted", "a declared call is enough");
    assert_eq!(access("shop.web", "shop.api", "http"), "/items, /health but []");
    assert_eq!(access("shop.twin", "shop.api", "http"), "/items, /health but []", "one account, one peer");
    assert_eq!(access("shop.batch", "shop.api", "http"), "denied: /health", "what allow admits is denied");
    assert_eq!(access("west.ingress", "shop.api", "http"), "none of 2 rules allows it");
    assert_eq!(access("shop.batch", "shop.old", "http"), "none of 1 rules allows it");
    assert_eq!(access("shop.web", "shop.old", "http"), "admitted");
}

#[test]
fn callers_without_an_identity_get_what_is_said_about_them() {
    let model = mesh(MESH);
    let access = |callee, port| access(&model, "", callee, port);
    assert_eq!(access("shop.free", "http"), "refused without identity");
    assert_eq!(access("shop.api", "admin"), "none of 2 rules allows it");
    assert_eq!(access("shop.old", "http"), r#"* but ["/keys"]"#);
    assert_eq!(access("shop.off", "http"), "admitted", "the sidecar stays out of the way");
}
