//! Which calls a route takes, and what its callers then reach.

use meshc_resolve::{CalledPort, Provenance, resolve};

use crate::support::{edges, is_routed, mesh, port, service};

const MESH: &str = r#"
namespace shop {
  client web   { clusters = [west], calls = [reviews] }
  client batch { clusters = [west], calls = [reviews.http] }
  client other { clusters = [west], calls = [reviews.grpc] }
  client idle  { clusters = [west], calls = [reviews.sql] }
  service reviews {
    clusters = [west]
    port http { number = 80 }
    port grpc { number = 81, protocol = grpc }
    port sql  { number = 82, protocol = tcp }
  }
  service next { clusters = [west], port http { number = 80 } }
  service last { clusters = [west], port http { number = 80 } }
  route all { callee = reviews, from = [shop], rule { match { path = "/" }, to = next, timeout = 1s }, rule { to = last } }
  policy of-next { targets = [next], timeout { request = 7s } }
  policy of-all  { routes = [all], timeout { request = 3s } }
}
namespace far {
  client web { clusters = [west], calls = [shop.reviews] }
}
"#;

#[test]
fn a_route_takes_the_calls_of_its_callers_on_ports_that_carry_requests() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let name = |caller: &str, number: usize| {
        let caller = service(&model, caller);
        resolved.route_of(CalledPort { caller, callee: service(&model, "shop.reviews"), port: number })
    };
    let route = model.routes.ids().next();
    for (caller, ports) in [
        ("shop.web", [true, true, false]),
        ("shop.batch", [true, false, false]),
        ("shop.other", [false, true, false]),
        ("shop.idle", [false, false, false]),
        ("far.web", [false, false, false]),
    ] {
        let taken = [0, 1, 2].map(|number| name(caller, number));
        assert_eq!(taken, ports.map(|taken| route.filter(|_| taken)), "{caller}");
    }
}

#[test]
fn callers_reach_the_destinations_through_the_route_and_as_it_says() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    for (callee, seconds, rule) in [("shop.next", 1, true), ("shop.last", 3, false)] {
        for caller in ["shop.web", "shop.batch", "shop.other"] {
            let found = edges(&resolved, caller, callee);
            let [edge] = found.as_slice() else { panic!("{caller} → {callee}: {found:?}") };
            assert!(is_routed(edge), "{edge:?}");
            assert_eq!(edge.caller.service(), Some(service(&model, caller)));
            let conduct = resolved.conducts(edge).next().unwrap();
            assert_eq!(conduct.timeout.value.unwrap().as_secs(), seconds);
            assert_eq!(matches!(conduct.timeout.from, Provenance::Rule { .. }), rule);
            let http = port(&model, edge.callee, "http");
            assert_eq!(
                resolved.access(edge.caller.peer(&model), edge.callee, http),
                meshc_resolve::Access::Admitted
            );
        }
        for caller in ["shop.idle", "far.web"] {
            assert!(edges(&resolved, caller, callee).is_empty(), "{caller} has no call that is routed");
        }
    }
}
