//! Pods with IPv6 addresses: a cluster that has nothing else, and one that has both families.

use std::time::Duration;

use mesh_tests::build::Built;
use mesh_tests::mesh::DataPlane;
use mesh_tests::pods::{Application, Families, Pods, one};
use mesh_tests::process;

/// West has both families, east IPv6 alone. East's gateway is known by a name that has no IPv4 address.
const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west {
  network = west-net, region = "here", ip_family = dual
  gateway ingress {
    role = ingress, addresses = [172.18.255.200, fd18::c8], port http { number = 80 }
    service { annotations = { "metallb.io/loadBalancerIPs" = "172.18.255.200,fd18::c8" } }
  }
}
cluster east {
  network = east-net, region = "there", ip_family = ipv6
  gateway eastwest {
    role = east_west, addresses = ["east.example"]
    service {
      annotations = {
        "metallb.io/loadBalancerIPs" = "fd18::ca", "external-dns.alpha.kubernetes.io/hostname" = "east.example"
      }
    }
  }
}
namespace istioinaction {
  service webapp { clusters = [west], port http { number = 80, target = 8080 }, calls = [catalog] }
  // Listens on the port that it calls, so its calls are redirected; those of webapp are not.
  service mirror { clusters = [west], port http { number = 80, target = 80 }, calls = [webapp] }
  service catalog { clusters = [east], port http { number = 80, target = 3000 }, calls = [stock] }
  service stock { clusters = [east], port http { number = 80, target = 3000 } }
  service plain { clusters = [east], port http { number = 80, target = 8080 }, calls = [stock], capture = loopback }
  route webapp { gateway = west.ingress, hosts = ["webapp.example"], to = webapp }
  route mirror { gateway = west.ingress, hosts = ["mirror.example"], to = mirror }
  policy catalog {
    targets = [catalog]
    rate_limit { scope = cluster, match { path = "/items" }, otherwise = 1/min }
  }
  policy webapp {
    targets = [webapp]
    allow { from = [west.ingress, mirror] }
  }
}
"#;

const APPLICATIONS: [Application; 5] = [
    one("west", "webapp", 8080),
    one("west", "mirror", 80),
    one("east", "catalog", 3000),
    one("east", "stock", 3000),
    one("east", "plain", 8080),
];

/// A call that arrives: at this service, from that one.
fn arrives(pods: &mut Pods, pod: &str, url: &str, service: &str, caller: &str) {
    let (status, body) = pods.get(pod, url, &[]);
    assert_eq!(status, 200, "{pod} {url}: {body}\n{}", pods.log(pod));
    assert_eq!(body["service"], service, "{url}");
    assert_eq!(body["caller"], format!("spiffe://cluster.local/ns/istioinaction/sa/{caller}"), "{url}");
}

/// Calls from pods that have IPv6 addresses alone, captured in either way; and what stands for nobody goes nowhere.
fn within_the_cluster_of_ipv6(pods: &mut Pods) {
    arrives(pods, "east-catalog", "http://stock/", "stock", "catalog");
    arrives(pods, "east-plain", "http://stock/", "stock", "plain");
    for nowhere in ["http://[100::1]/", "http://stock:81/"] {
        let (status, body) = pods.get("east-catalog", nowhere, &[]);
        assert_eq!(status, 0, "{nowhere}: {body}");
    }
    // They ask for addresses of their own family and for no others.
    let questions = pods.questions("east");
    assert!(questions.iter().any(|asked| asked.starts_with("AAAA stock-mesh.")), "{questions:?}");
    assert!(!questions.iter().any(|asked| asked.starts_with("A stock-mesh.")), "{questions:?}");
}

/// Calls from pods with both: IPv4 where there is some, so that a pod is one endpoint, and IPv6 where there is none.
fn from_the_cluster_of_both(pods: &mut Pods) {
    let questions = pods.questions("west");
    for asked in ["A webapp-mesh.istioinaction.svc.cluster.local", "A east.example", "AAAA east.example"] {
        assert!(questions.iter().any(|question| question == asked), "{asked}: {questions:?}");
    }
    assert!(!questions.iter().any(|asked| asked.starts_with("AAAA webapp-mesh.")), "{questions:?}");
    // One a minute, counted in Redis over IPv6: a minute may end between two requests, but not twice.
    let statuses = [(); 3].map(|()| pods.get("west-webapp", "http://catalog/items", &[]).0);
    let (service, asking) = (pods.log("east-rate-limit"), pods.log("east-catalog"));
    assert!(statuses.contains(&429), "{statuses:?}\n--- service\n{service}\n--- sidecar\n{asking}");
}

/// Nobody says how calls are captured. Two workloads of one cluster get it in different ways, and both answer and call.
fn captured_as_it_can_be(built: &Built, pods: &mut Pods) {
    for (service, redirected) in [("webapp", false), ("mirror", true)] {
        let folder = built.out().join("west/sidecars/istioinaction").join(service);
        let patch = std::fs::read_to_string(folder.join("patch.yaml")).expect("the sidecar has a patch");
        assert_eq!(patch.contains("mesh-redirect"), redirected, "{service}: {patch}");
        let host = format!("{service}.example");
        let (status, body) = pods.get("west-dns", "http://172.18.255.200:8080/", &[("host", &host)]);
        assert_eq!((status, body["service"].as_str()), (200, Some(service)), "{body}");
    }
    arrives(pods, "west-webapp", "http://catalog/", "catalog", "webapp");
    arrives(pods, "west-mirror", "http://webapp/", "webapp", "mirror");
}

/// Clients of either family are seen with their own addresses.
fn from_outside(pods: &mut Pods) {
    for (address, begins, logged) in
        [("172.18.255.200", "172.18.", "\"172.18."), ("[fd18::c8]", "fd18::", "\"[fd18::")]
    {
        let url = format!("http://{address}:8080/{}", begins.len());
        let (status, body) = pods.get("west-dns", &url, &[("host", "webapp.example")]);
        assert_eq!(status, 200, "{address}: {body}");
        let client = body["headers"]["x-forwarded-for"].as_str().unwrap_or_default();
        assert!(client.starts_with(begins) && !client.contains([']', ',']), "{address}: {client}");
        let path = format!("\"path\":\"/{}\"", begins.len());
        process::eventually("the gateway has logged it", Duration::from_secs(30), || {
            let log = pods.log("west-west-ingress");
            log.lines().any(|line| line.contains(&path) && line.contains(logged)).then_some(())
        });
    }
}

fn pods_with_ipv6_addresses(data_plane: DataPlane) {
    let built = Built::new(MESH, data_plane, &[]);
    let clusters = [("west", Families::Dual), ("east", Families::V6)];
    let mut pods = Pods::in_clusters(&built, &clusters, &APPLICATIONS, Duration::from_secs(1));
    // Pods are ready when their proxies are; what a busy machine's DNS says in between may still be missing.
    process::eventually("webapp reaches catalog", Duration::from_secs(30), || {
        (pods.get("west-webapp", "http://catalog/", &[]).0 == 200).then_some(())
    });
    within_the_cluster_of_ipv6(&mut pods);
    captured_as_it_can_be(&built, &mut pods);
    from_the_cluster_of_both(&mut pods);
    from_outside(&mut pods);
}

#[test]
fn pods_with_ipv6_addresses_on_envoy() {
    pods_with_ipv6_addresses(DataPlane::Envoy);
}

#[test]
fn pods_with_ipv6_addresses_on_meshd() {
    pods_with_ipv6_addresses(DataPlane::Meshd);
}
