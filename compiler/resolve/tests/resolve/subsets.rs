//! What holds at a subset: what its service has, unless a policy names the subset.

use std::time::Duration;

use meshc_resolve::{Obstacle, Peer, Provenance, resolve};

use crate::support::{mesh, service};

const MESH: &str = r#"
namespace shop {
  client web { clusters = [west], calls = [reviews] }
  service reviews {
    clusters = [west]
    calls    = [ratings]
    port http { number = 80 }
    subset v1 {}
    subset v2 {}
  }
  service ratings { clusters = [west], port http { number = 80 } }
  route front { gateway = west.ingress, hosts = ["shop.example"], to = reviews.v2.http }
  policy of-the-service {
    targets = [reviews]
    timeout { request = 7s }
    pool { max_connections = 5 }
    allow { from = [web] }
  }
  policy of-v2 {
    targets = [reviews.v2]
    timeout { request = 9s }
    deny { from = [web] }
  }
}
"#;

#[test]
fn a_subset_has_what_its_service_has_unless_a_policy_names_it() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let at = |name: &str| resolved.service(service(&model, name));
    assert_eq!(at("shop.reviews.v1").timeout.value.request.value, Some(Duration::from_secs(7)));
    assert_eq!(at("shop.reviews.v2").timeout.value.request.value, Some(Duration::from_secs(9)));
    assert_eq!(at("shop.reviews.v2").pool.value.max_connections, 5);
    assert_eq!(at("shop.reviews.v2").allow.value, at("shop.reviews").allow.value);
    assert!(matches!(at("shop.reviews").pool.from, Provenance::Declared { .. }));
    assert!(matches!(at("shop.reviews.v1").pool.from, Provenance::Inherited { .. }), "nobody named v1");
    assert!(matches!(at("shop.reviews.v2").timeout.from, Provenance::Declared { .. }));
    let [misplaced] = &resolved.misplaced[..] else { panic!("{:?}", resolved.misplaced) };
    assert_eq!((misplaced.setting, misplaced.obstacle), ("deny", Obstacle::Subset));
}

#[test]
fn a_subset_is_its_service_to_everybody_that_it_calls() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let [whole, first, second] =
        ["shop.reviews", "shop.reviews.v1", "shop.reviews.v2"].map(|name| service(&model, name));
    assert_eq!(model.services.at(whole).subsets, [first, second]);
    assert_eq!([model.whole(first), model.whole(second), model.whole(whole)], [whole; 3]);
    assert_eq!(Peer::of_service(&model, first), Peer::of_service(&model, whole));
    let leads_to = |id| resolved.incoming(id).map(|edge| edge.caller.name(&model)).collect::<Vec<_>>();
    assert_eq!(leads_to(whole), ["shop.web"]);
    assert_eq!(leads_to(second), ["west.ingress"]);
    assert!(leads_to(first).is_empty());
    assert_eq!(
        leads_to(service(&model, "shop.ratings")),
        ["shop.reviews"],
        "one call, whoever of them makes it"
    );
}
