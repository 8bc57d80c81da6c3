//! Hosts outside, called by names that the pod's own hosts file leads to its sidecar; names below a cluster's own domain,
//! a virtual address that was chosen, and a client whose calls are redirected.

use std::time::Duration;

use mesh_tests::build::Built;
use mesh_tests::mesh::DataPlane;
use mesh_tests::pods::{Application, Pods, one};
use mesh_tests::process;

/// `bank` stands for a host outside: it takes plain requests too, at the address that DNS has for its name.
/// Whoever looked that name up in the hosts file of a caller's pod would be led back to that caller's sidecar, for ever.
const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy, capture = loopback }
trust house {}
network net {}
cluster west { network = net, region = "here", domain = "west.example" }
namespace istioinaction {
  client batch { clusters = [west], calls = [one, chosen], capture = redirect }
  service one { clusters = [west], port http { number = 8080 }, calls = [outside], vip = 240.240.7.7 }
  service two { clusters = [west], port http { number = 8080 }, calls = [outside], capture = redirect }
  service idle { clusters = [west], port http { number = 9090 }, calls = [two, bank] }
  service bank { clusters = [west], port http { number = 3000, mtls = permissive } }
  external outside {
    hosts = ["bank-mesh.istioinaction.svc.west.example"]
    port http { number = 80, target = 15006, protocol = http }
  }
  external chosen {
    hosts = ["bank-mesh.istioinaction.svc.west.example"]
    vip   = 240.240.9.9
    port http { number = 80, target = 15006, protocol = http }
  }
}
"#;

const APPLICATIONS: [Application; 5] = [
    one("west", "batch", 7070),
    one("west", "one", 8080),
    one("west", "two", 8080),
    one("west", "idle", 9090),
    one("west", "bank", 3000),
];

/// The client is redirected although nobody else is: what it sends to a virtual address reaches its sidecar. Names are below
/// the cluster's domain, for applications and for proxies alike.
fn a_virtual_address_is_the_one_that_was_chosen(pods: &mut Pods) {
    let names = ["240.240.7.7", "one", "one.istioinaction", "one.istioinaction.svc.west.example"];
    for name in names {
        let url = format!("http://{name}:8080/items");
        process::eventually("DNS has told the sidecar where the callee is", Duration::from_secs(30), || {
            (pods.get("west-batch", &url, &[]).0 == 200).then_some(())
        });
        let (_, body) = pods.get("west-batch", &url, &[]);
        assert_eq!(body["service"], "one", "{url}: {body}");
        assert_eq!(body["caller"], "spiffe://cluster.local/ns/istioinaction/sa/batch", "{url}: {body}");
    }
    // A host outside can be given one, too.
    let host = [("host", "bank-mesh.istioinaction.svc.west.example")];
    let outside = "http://240.240.9.9/items";
    process::eventually("DNS has told the sidecar where the host is", Duration::from_secs(30), || {
        (pods.get("west-batch", outside, &host).0 == 200).then_some(())
    });
    assert_eq!(pods.get("west-batch", outside, &host).1["pod"], "west-bank");
    let (status, body) = pods.get("west-batch", "http://240.240.7.8:8080/items", &[]);
    assert_eq!(status, 0, "an address that stands for nobody: {body}");
    let asked = pods.asked("west");
    assert!(asked.iter().any(|name| name == "one-mesh.istioinaction.svc.west.example"), "{asked:?}");
    assert!(!asked.iter().any(|name| name.contains("cluster.local")), "{asked:?}");
}

fn names_lead_to_the_sidecar_and_the_sidecar_out(data_plane: DataPlane) {
    let built = Built::new(MESH, data_plane, &[]);
    let mut pods = Pods::with_domain(&built, "west", "west.example", &APPLICATIONS);
    a_virtual_address_is_the_one_that_was_chosen(&mut pods);
    let name = "bank-mesh.istioinaction.svc.west.example";
    let url = format!("http://{name}/items");
    for caller in ["west-one", "west-two"] {
        process::eventually("DNS has told the sidecar where the host is", Duration::from_secs(30), || {
            (pods.get(caller, &url, &[]).0 == 200).then_some(())
        });
        let (status, body) = pods.get(caller, &url, &[]);
        assert_eq!((status, body["pod"].as_str()), (200, Some("west-bank")), "{caller}: {body}");
        assert_eq!(body["caller"], "", "nothing is proven to a host outside: {body}");
        // The sidecar took it: it alone knows the port, and refuses what is not declared.
        let (status, _) = pods.get(caller, &url, &[("host", "other.example")]);
        assert_eq!(status, 404, "{caller}");
    }
    let (status, body) = pods.get("west-idle", &url, &[]);
    assert_eq!(
        status, 0,
        "who does not call the host finds it in DNS, where nothing listens on port 80: {body}"
    );
    assert!(pods.asked("west").iter().any(|asked| asked == name));
}

#[test]
fn names_lead_to_the_sidecar_and_the_sidecar_out_on_envoy() {
    names_lead_to_the_sidecar_and_the_sidecar_out(DataPlane::Envoy);
}

#[test]
fn names_lead_to_the_sidecar_and_the_sidecar_out_on_meshd() {
    names_lead_to_the_sidecar_and_the_sidecar_out(DataPlane::Meshd);
}
