//! Hosts outside, called by names that the pod's own hosts file leads to its sidecar.

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
cluster west { network = net, region = "here" }
namespace istioinaction {
  service one { clusters = [west], port http { number = 8080 }, calls = [outside] }
  service two { clusters = [west], port http { number = 8080 }, calls = [outside], capture = redirect }
  service idle { clusters = [west], port http { number = 9090 }, calls = [one, two, bank] }
  service bank { clusters = [west], port http { number = 3000, mtls = permissive } }
  external outside {
    hosts = ["bank-mesh.istioinaction.svc.cluster.local"]
    port http { number = 80, target = 15006, protocol = http }
  }
}
"#;

const APPLICATIONS: [Application; 4] = [
    one("west", "one", 8080),
    one("west", "two", 8080),
    one("west", "idle", 9090),
    one("west", "bank", 3000),
];

fn names_lead_to_the_sidecar_and_the_sidecar_out(data_plane: DataPlane) {
    let built = Built::new(MESH, data_plane, &[]);
    let mut pods = Pods::of(&built, &["west"], &APPLICATIONS);
    let name = "bank-mesh.istioinaction.svc.cluster.local";
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
