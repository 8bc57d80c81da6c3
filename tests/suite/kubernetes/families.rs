//! What manifests say of IPv6: families of Services, wildcards, the init container's range, and the operator's README.

use mesh_tests::build::{Built, kustomize};
use mesh_tests::mesh::DataPlane;
use serde_json::{Value, json};

use crate::{assert_valid, documents, named};

const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house }
trust house {}
network net {}
cluster four { network = net, region = "here", domain = "four.example" }
cluster dual { network = net, region = "here", domain = "dual.example", ip_family = dual }
cluster six {
  network = net, region = "here", domain = "six.example", ip_family = ipv6
  gateway ingress { role = ingress, address = fd00::1, port http { number = 80 } }
}
namespace shop {
  service web {
    clusters = [four, dual, six]
    workload { image = "web:1" }
    port http { number = 80, target = 8080 }
    calls = [cart]
  }
  service cart { clusters = [four, dual, six], workload { image = "cart:1" }, port http { number = 80 } }
  route web { gateway = six.ingress, hosts = ["web.example"], to = web }
  policy cart { targets = [cart], rate_limit { scope = cluster, otherwise = 1/min } }
}
"#;

/// The families and the policy of every Service in the documents: all say the same.
fn families(documents: &[Value]) -> (Value, Value) {
    let services = documents.iter().filter(|document| document["kind"] == "Service");
    let mut said: Vec<_> = services
        .map(|service| (service["spec"]["ipFamilies"].clone(), service["spec"]["ipFamilyPolicy"].clone()))
        .collect();
    assert!(said.len() >= 4, "companions, the rate-limit service and its Redis");
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    said.remove(0)
}

#[test]
fn manifests_are_of_the_clusters_families() {
    let built = Built::new(MESH, DataPlane::Envoy, &[]);
    for (cluster, expected, listens) in [
        ("four", (Value::Null, Value::Null), "0.0.0.0:8081"),
        ("dual", (json!(["IPv4", "IPv6"]), json!("RequireDualStack")), "[::]:8081"),
        ("six", (json!(["IPv6"]), json!("SingleStack")), "[::]:8081"),
    ] {
        let stream = kustomize(&built.out().join(cluster));
        assert_valid(&stream);
        let documents = documents(&stream);
        assert_eq!(families(&documents), expected, "{cluster}");
        let limits = named(&documents, "Deployment", "rate-limit");
        let arguments = limits["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
        assert!(arguments.contains(&format!("{listens:?}")), "{cluster}: {arguments}");
    }
    let six = documents(&kustomize(&built.out().join("six")));
    assert_eq!(named(&six, "Service", "six-ingress")["spec"]["loadBalancerIP"], "fd00::1");
    let pod = &named(&six, "Deployment", "web")["spec"]["template"]["spec"];
    assert_eq!(
        pod["initContainers"][0]["args"],
        json!(["redirect", "--range", "100::/64", "--to-port", "15001"])
    );
    let alias = pod["hostAliases"][0]["ip"].as_str().unwrap_or_default();
    assert!(alias.starts_with("100::"), "{alias}");

    let read = |cluster: &str| {
        std::fs::read_to_string(built.out().join(cluster).join("README.md")).unwrap_or_default()
    };
    let guide = read("six");
    for told in [
        "`shop/web` (chosen, since the loopback of IPv6 has one address)",
        "--connect-to web.example:80:[fd00::1]:80 http://web.example:80/",
    ] {
        assert!(guide.contains(told), "{told} is not in\n{guide}");
    }
    assert!(!read("dual").contains("NET_ADMIN"), "loopback has IPv4 addresses there");
}
