//! The very files that `meshc build` wrote, unmodified, one network namespace per pod: the call across clusters and
//! the failover hold there too.

#[path = "namespaces/balance.rs"]
mod balance;
#[path = "namespaces/families.rs"]
mod families;
#[path = "namespaces/outside.rs"]
mod outside;

use std::time::{Duration, Instant};

use mesh_tests::build::{Built, acme};
use mesh_tests::mesh::DataPlane;
use mesh_tests::pods::{ACME, Pods, one};
use mesh_tests::process;
use serde_json::json;

/// The example with ejection times of one second instead of half a minute; everything else as it is.
fn source() -> String {
    acme().replace("interval = 20s", "interval = 1s").replace("ejection = 30s", "ejection = 1s")
}

/// Waits for the first answer of catalog. Pods are ready when their proxies are; what a busy machine's DNS says to the
/// gateway in between may still be missing.
fn settled(pods: &mut Pods) {
    process::eventually("webapp reaches catalog", Duration::from_secs(30), || {
        (pods.get("west-webapp", "http://catalog/", &[]).0 == 200).then_some(())
    });
}

/// The hosts file has no names with a final dot, and Kubernetes takes none for it: such a call is not captured. It asks the
/// cluster's DNS, and reaches what that says.
fn a_final_dot_leaves_the_mesh(pods: &mut Pods) {
    let (status, body) =
        pods.get("west-webapp", "http://catalog.istioinaction.svc.cluster.local./items", &[]);
    assert_eq!(status, 0, "nothing of that name is in the DNS of west: {body}");
    let asked = pods.asked("west");
    assert!(asked.iter().any(|name| name == "catalog.istioinaction.svc.cluster.local"), "{asked:?}");
}

/// Each proxy is told what its container may use and uses, and the container stays below that. Envoy reads it.
fn memory_is_watched(pods: &mut Pods, data_plane: DataPlane) {
    let used = pods.memory();
    let most = match data_plane {
        DataPlane::Envoy => 1280 << 20,
        DataPlane::Meshd => 512 << 20,
    };
    for pod in ["west-west-ingress", "west-webapp", "east-east-eastwest"] {
        let [limit, sum] = ["limit", "sum"].map(|name| used[pod][name].as_u64().unwrap_or_default());
        assert!(0 < sum && sum < limit && limit == most, "{pod}: {used:#}");
    }
    if data_plane == DataPlane::Envoy {
        let (_, page) = pods.get("west-west-ingress", "http://127.0.0.1:15090/metrics", &[]);
        let page = page.as_str().unwrap_or_default();
        let name = "envoy_overload_envoy_resource_monitors_cgroup_memory_pressure{} ";
        let percent = page.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
        assert!(percent.is_some_and(|percent: u32| 0 < percent && percent < 100), "{percent:?} in {page}");
    }
}

fn built_files_carry_traffic(data_plane: DataPlane) {
    let built = Built::new(&source(), data_plane, &[]);
    let mut pods = Pods::acme(&built);
    settled(&mut pods);

    // webapp's application calls catalog by the name that only the hosts file knows.
    let forged = [("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/istioinaction/sa/root")];
    let (status, body) = pods.get("west-webapp", "http://catalog/items", &forged);
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["cluster"], "east");
    assert_eq!(body["caller"], "spiffe://cluster.local/ns/istioinaction/sa/webapp");
    // One per minute, counted in Redis by the real clock: a minute may end between two requests, but not twice.
    let again = "http://catalog.istioinaction.svc.cluster.local/items";
    let statuses = [(); 2].map(|()| pods.get("west-webapp", again, &[]).0);
    let (service, asking) = (pods.log("east-rate-limit"), pods.log("east-catalog"));
    assert!(statuses.contains(&429), "{statuses:?}\n--- service\n{service}\n--- sidecar\n{asking}");

    // Names of the mesh are complete: whoever tried search domains would ask strangers' domains for them.
    let (asked, own) = (pods.asked("east"), ".svc.cluster.local");
    assert!(asked.iter().any(|name| name.starts_with("catalog-mesh.")), "{asked:?}");
    let searched: Vec<_> = asked.iter().filter(|name| name.matches(own).count() != 1).collect();
    assert!(searched.is_empty(), "{searched:?}");

    a_final_dot_leaves_the_mesh(&mut pods);
    memory_is_watched(&mut pods, data_plane);

    let through_ingress = |pods: &mut Pods| {
        let host = [("host", "simple-backend.istioinaction.io")];
        pods.get("west-dns", "http://172.18.255.200:8080/", &host)
    };
    for _ in 0..10 {
        let (status, body) = through_ingress(&mut pods);
        assert_eq!((status, body["cluster"].as_str()), (200, Some("west")), "{body}");
    }
    pods.fail("west-simple-backend", true);
    for _ in 0..10 {
        let (status, body) = through_ingress(&mut pods);
        assert_eq!((status, body["cluster"].as_str()), (200, Some("east")), "{body}");
    }
    pods.fail("west-simple-backend", false);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, body) = through_ingress(&mut pods);
        if body["cluster"] == "west" {
            break;
        }
        assert!(Instant::now() < deadline, "west is healthy again but gets no requests");
        std::thread::sleep(Duration::from_millis(200));
    }

    // A service without pods, which leave the DNS: gRPC clients are told in their own protocol.
    pods.end("west-webapp");
    let nobody = (200, String::from("14"), String::from("no healthy upstream"));
    process::eventually("webapp's pod is forgotten", Duration::from_secs(60), || {
        let told = pods.grpc("west-dns", "http://172.18.255.200:8080/", "webapp.istioinaction.io");
        (told == nobody).then_some(())
    });
}

#[test]
fn built_files_carry_traffic_on_envoy() {
    built_files_carry_traffic(DataPlane::Envoy);
}

#[test]
fn built_files_carry_traffic_on_meshd() {
    built_files_carry_traffic(DataPlane::Meshd);
}

/// The same call where the kernel redirects it: the init container's rules, and a sidecar that asks which address the
/// application meant.
fn redirected_calls_reach_their_callee(data_plane: DataPlane) {
    let redirected =
        source().replace("data_plane   = envoy", "data_plane   = envoy\n  capture      = redirect");
    assert_ne!(redirected, source(), "the example says which data plane it wants");
    let built = Built::new(&redirected, data_plane, &[]);
    let mut pods = Pods::acme(&built);
    settled(&mut pods);
    let (status, body) = pods.get("west-webapp", "http://catalog/", &[]);
    assert_eq!(status, 200, "{body}\n{}", pods.log("west-webapp"));
    assert_eq!(body["cluster"], "east");
    assert_eq!(body["caller"], "spiffe://cluster.local/ns/istioinaction/sa/webapp");
    // A virtual address that stands for nobody, and one that stands for a callee on another port, go nowhere.
    for nowhere in ["http://240.240.255.254/", "http://catalog:81/"] {
        let (status, body) = pods.get("west-webapp", nowhere, &[]);
        assert_eq!(status, 0, "{nowhere}: {body}\n{}", pods.log("west-webapp"));
    }
    a_final_dot_leaves_the_mesh(&mut pods);
}

#[test]
fn redirected_calls_reach_their_callee_on_envoy() {
    redirected_calls_reach_their_callee(DataPlane::Envoy);
}

#[test]
fn redirected_calls_reach_their_callee_on_meshd() {
    redirected_calls_reach_their_callee(DataPlane::Meshd);
}

/// The example with catalog in one more cluster, which takes over when east's fails.
fn two_catalogs() -> String {
    let far = r#"
network far-net {}
cluster far {
  network = far-net
  region  = "farus"
  gateway eastwest { role = east_west, address = 172.18.255.203 }
}

namespace istioinaction {"#;
    let source = source().replacen("\nnamespace istioinaction {", far, 1);
    let source = source.replacen("clusters = [east]\n", "clusters = [east, far]\n", 1);
    let outlier = "targets = [catalog]\n    outlier { consecutive_5xx = 1, interval = 1s, ejection = 10s }\n";
    let source = source.replacen("targets = [catalog]\n", outlier, 1);
    for added in ["cluster far {", "[east, far]", "targets = [catalog]\n    outlier"] {
        assert!(source.contains(added), "the example has a place for `{added}`");
    }
    source
}

/// An east-west gateway balances connections, not requests: without more than one connection to it, one of the pods
/// behind it would get everything, and one bad pod would look like all of them.
fn eight_pods_behind_a_gateway(data_plane: DataPlane) {
    const REQUESTS: usize = 120;
    let built = Built::new(&two_catalogs(), data_plane, &[]);
    let mut all = ACME.to_vec();
    all.retain(|application| application.service != "simple-backend");
    for application in all.iter_mut().filter(|application| application.service == "catalog") {
        application.replicas = 8;
    }
    all.push(one("far", "catalog", 3000));
    let mut pods = Pods::of(&built, &["west", "east", "far"], &all);
    let names: Vec<String> = (0..8)
        .map(|pod| if pod == 0 { String::from("east-catalog") } else { format!("east-catalog-{pod}") })
        .collect();
    settled(&mut pods);
    let ask = |pods: &mut Pods, path: &str| {
        let (status, body) = pods.get("west-webapp", &format!("http://catalog{path}"), &[]);
        (status, body["cluster"].as_str().unwrap_or_default().to_owned())
    };
    for _ in 0..REQUESTS {
        assert_eq!(ask(&mut pods, "/spread"), (200, String::from("east")));
    }
    let served = |pods: &Pods| -> Vec<usize> {
        let logs = names.iter().map(|pod| pods.log(&format!("{pod}-mesh-proxy")));
        logs.map(|log| log.matches(r#""path":"/spread""#).count()).collect()
    };
    // Proxies write their logs a little later.
    process::eventually("every request is logged", Duration::from_secs(30), || {
        (served(&pods).iter().sum::<usize>() == REQUESTS).then_some(())
    });
    let shares = served(&pods);
    assert!(shares.iter().all(|share| (2..=REQUESTS / 3).contains(share)), "{shares:?} of {REQUESTS}");

    // One of eight fails: east stays, whatever is asked, for several intervals in which it was asked.
    pods.fail(&names[3], true);
    let load = json!({
        "name": "load", "pod": "west-webapp", "address": "catalog", "port": 80, "host": "catalog", "protocol": "1.1",
        "path": "/one", "connections": 20, "slow": [], "seconds": 6,
    });
    pods.load(&load);
    let counted = pods.loaded("load");
    let failures = counted["statuses"]["500"].as_u64().unwrap_or(0);
    let answers = counted["answered"].as_u64().unwrap_or(0);
    assert!(failures > 0 && failures * 3 < answers, "one of eight fails: {counted}");
    assert!(counted["lost"] == json!([]) && counted["dropped"] == 0, "{counted}");
    let elsewhere = pods.log("far-catalog-mesh-proxy");
    assert!(!elsewhere.contains(r#""path":"/one""#), "east has seven good pods: {elsewhere}");

    // All of them fail, and are well again. A copy of the gateway is judged by what it was asked, so some requests pass
    // until all eight have been; an ejection lasts longer than that, however slow this machine is.
    for name in &names {
        pods.fail(name, true);
    }
    let patience = Duration::from_secs(60);
    let from = |pods: &mut Pods, cluster: &str| (0..5).all(|_| ask(pods, "/all").1 == cluster).then_some(());
    process::eventually("far takes over", patience, || from(&mut pods, "far"));
    for name in &names {
        pods.fail(name, false);
    }
    process::eventually("east takes back", patience, || from(&mut pods, "east"));
}

#[test]
fn eight_pods_behind_a_gateway_on_envoy() {
    eight_pods_behind_a_gateway(DataPlane::Envoy);
}

#[test]
fn eight_pods_behind_a_gateway_on_meshd() {
    eight_pods_behind_a_gateway(DataPlane::Meshd);
}

/// Three loads while gateways roll: kept connections of both versions at the ingress, and calls across clusters whose
/// connections the east-west gateway passes through. Each has a request that takes longer than a gateway waits for load
/// balancers to forget it.
fn nothing_in_flight_is_lost_while_gateways_roll(data_plane: DataPlane) {
    const KEPT: usize = 20;
    const SLOW: &str = "/slow/18";
    let patient = source()
        .replace("to      = webapp\n", "to      = webapp\n    timeout = 1m\n")
        .replace("targets = [catalog]\n", "targets = [catalog]\n    timeout { request = 1m }\n");
    assert_eq!(patient.matches(" = 1m").count(), 2, "the example has a route and a policy to change");
    let built = Built::new(&patient, data_plane, &[]);
    let mut pods = Pods::acme(&built);
    settled(&mut pods);
    let load = |name: &str, pod: &str, target: (&str, u16), host: &str, protocol: &str, seconds: u32| {
        json!({
            "name": name, "pod": pod, "address": target.0, "port": target.1, "host": host, "protocol": protocol,
            "path": "/other", "connections": KEPT, "slow": [SLOW], "seconds": seconds,
        })
    };
    let ingress = ("172.18.255.200", 8080);
    // As long as it takes that every connection is told; less in truth, but the machine may be busy.
    pods.load(&load("1.1", "west-dns", ingress, "webapp.istioinaction.io", "1.1", 40));
    pods.load(&load("2", "west-dns", ingress, "webapp.istioinaction.io", "2", 40));
    pods.load(&load("across", "west-webapp", ("catalog", 80), "catalog", "1.1", 20));
    let slow = |pods: &Pods| pods.log("west-webapp-webapp").matches(SLOW).count();
    process::eventually("the slow requests have arrived", Duration::from_secs(30), || {
        (slow(&pods) == 2 && pods.log("east-catalog-catalog").contains(SLOW)).then_some(())
    });
    pods.end("west-west-ingress");
    pods.end("east-east-eastwest");

    let counted = ["1.1", "2", "across"].map(|name| pods.loaded(name));
    let ended = pods.ended("west-west-ingress");
    let all = format!("{counted:#?}\n{ended:#?}");
    for counted in &counted {
        assert_eq!(counted["lost"], json!([]), "{all}");
        assert_eq!(counted["dropped"], 0, "{all}");
        assert_eq!(counted["statuses"], json!({ "200": counted["answered"] }), "{all}");
    }
    // Whoever asks something at the ingress is told to leave; the slow ones, too.
    let [one, two, _] = counted;
    assert_eq!([&one["told"], &two["told"]], [KEPT + 1, KEPT + 1], "{all}");
    assert_eq!(ended["killed"], json!([]), "{all}");
    assert_eq!(ended["hooks"], json!({ "mesh-proxy": 0 }), "{all}");
}

#[test]
fn nothing_in_flight_is_lost_while_gateways_roll_on_envoy() {
    nothing_in_flight_is_lost_while_gateways_roll(DataPlane::Envoy);
}

#[test]
fn nothing_in_flight_is_lost_while_gateways_roll_on_meshd() {
    nothing_in_flight_is_lost_while_gateways_roll(DataPlane::Meshd);
}
