//! How calls are captured: without privileges where nothing in the pod holds the port.

use meshc_resolve::{Captured, Holder, resolve};
use meshc_vocabulary::model::{Callee, Capture};

use crate::support::{mesh, model, service};

const MESH: &str = r#"
namespace shop {
  service web {
    clusters = [west]
    calls    = [cart]
    port http { number = 80, target = 8080 }
    subset v1 {}
  }
  service bound { clusters = [west], calls = [cart], port http { number = 80, target = 8080, bind = loopback } }
  service said { clusters = [west], calls = [cart], capture = loopback, port http { number = 80, target = 8080 } }
  client probed { clusters = [west], calls = [cart], probe liveness { path = "/", port = 8080 } }
  client free { clusters = [west], calls = [cart] }
  client odd { clusters = [west], calls = [status] }
  service cart { clusters = [west], port http { number = 8080, target = 3000 } }
  service status { clusters = [west], port http { number = 15021, target = 3000 } }
  // A rule leads there, so nothing at the caller has its address.
  service other { clusters = [west], port http { number = 81, target = 9090 }, calls = [cart-v2] }
  service cart-v2 { clusters = [west], port http { number = 82 } }
  service cart-v3 { clusters = [west], port http { number = 9090 } }
  route moved { callee = cart-v2, to = cart-v3 }
}
"#;

#[test]
fn calls_are_redirected_where_the_pod_holds_the_port() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let captured = |name: &str| resolved.captured(service(&model, name));
    for name in ["shop.web", "shop.web.v1", "shop.probed", "shop.odd"] {
        assert_eq!(captured(name).capture(), Capture::Redirect, "{name}");
    }
    for name in ["shop.bound", "shop.free", "shop.cart", "shop.other"] {
        assert!(matches!(captured(name), Captured::Unhindered), "{name}");
    }
    assert!(matches!(captured("shop.said"), Captured::Declared(Capture::Loopback)));
    let Captured::Hindered(held) = captured("shop.web") else { panic!("web holds 8080") };
    assert_eq!((held.callee, held.port.number), (Callee::Service(service(&model, "shop.cart")), 8080));
    assert!(matches!(held.holder, Holder::Application(_, "holds")));
    let Captured::Hindered(held) = captured("shop.odd") else { panic!("its sidecar holds 15021") };
    assert_eq!(held.holder, Holder::Sidecar);
}

#[test]
fn where_pods_have_ipv6_alone_only_loopback_that_is_asked_for_is_used() {
    let text = r#"
mesh m { trust_domain = "cluster.local", trust = t }
trust t {}
network n {}
cluster four { network = n, region = "r" }
cluster six { network = n, region = "r", ip_family = ipv6 }
cluster dual { network = n, region = "r", ip_family = dual }
namespace shop {
  client free { clusters = [four, six, dual], calls = [cart] }
  client said { clusters = [four, six, dual], calls = [cart], capture = loopback }
  service cart { clusters = [four, six, dual], port http { number = 8080 } }
}
"#;
    let model = model(text);
    let resolved = resolve(&model);
    let captured = |name: &str| {
        let service = service(&model, name);
        let clusters: Vec<_> = model.clusters.ids().collect();
        let families = clusters.iter().map(|cluster| model.clusters.at(*cluster).name.as_str());
        let captures = clusters.iter().map(|cluster| resolved.captured_in(service, *cluster));
        families.zip(captures).map(|(name, captured)| (name, captured.capture())).collect::<Vec<_>>()
    };
    let expected = |six| vec![("dual", Capture::Loopback), ("four", Capture::Loopback), ("six", six)];
    assert_eq!(captured("shop.free"), expected(Capture::Redirect));
    assert_eq!(captured("shop.said"), expected(Capture::Loopback));
}

#[test]
fn a_mesh_may_say_it_for_all() {
    let text = format!(
        "mesh m {{ trust_domain = \"cluster.local\", trust = t, capture = redirect }}\ntrust t {{}}\nnetwork n {{}}\n\
         cluster west {{ network = n, region = \"r\", gateway ingress {{ role = ingress, port http {{ number = 80 }} }} }}\n{MESH}"
    );
    let model = model(&text);
    let resolved = resolve(&model);
    let captured = |name: &str| resolved.captured(service(&model, name));
    assert!(matches!(captured("shop.free"), Captured::Declared(Capture::Redirect)));
    assert!(matches!(captured("shop.said"), Captured::Declared(Capture::Loopback)));
}
