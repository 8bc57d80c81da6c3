//! Limits for each caller, header, cookie and so on; totals beside them; bursts, long units, and limits that are only tried.

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};

/// Two services with the same limits, one counted by its pod and one by the rate-limit service. Days are long enough for
/// exact counts.
const SOURCE: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west { network = net, region = "here" }
namespace shop {
  client web   { clusters = [west], calls = [pods, shared] }
  client batch { clusters = [west], calls = [pods, shared] }
  service pods   { clusters = [west], port http { number = 80 } }
  service shared { clusters = [west], port http { number = 80 } }
  policy pods   { targets = [pods], LIMITS
    rate_limit { scope = SCOPE, match { prefix = "/burst" }, otherwise = 1/y, burst = 4 }
    rate_limit { scope = SCOPE, match { prefix = "/slow" }, otherwise = 100/d, burst = 2 }
  }
  policy shared { targets = [shared], LIMITS
    rate_limit { scope = SCOPE, match { prefix = "/week" }, otherwise = 2/w, timeout = 5s }
    rate_limit { scope = SCOPE, match { prefix = "/year" }, otherwise = 2/y, timeout = 5s }
  }
}
"#;

const LIMITS: &str = r#"
    rate_limit { scope = SCOPE, match { prefix = "/each" }, each { headers = ["X-User"], rate = 3/d }, timeout = 5s }
    rate_limit { scope = SCOPE, match { prefix = "/total" }, each { headers = ["x-user"], rate = 3/d }, total = 5/d, timeout = 5s }
    rate_limit { scope = SCOPE, match { prefix = "/part" }, each { by = [path], cookies = ["c"], queries = ["t"], rate = 2/mo }, timeout = 5s }
    rate_limit { scope = SCOPE, match { prefix = "/who" }, each { by = [caller, address], rate = 2/d }, timeout = 5s }
    rate_limit { scope = SCOPE, match { prefix = "/tried" }, otherwise = 1/d, mode = audit, timeout = 5s }
"#;

fn mesh(data_plane: DataPlane) -> Mesh {
    let (before, rest) = SOURCE.split_once("policy shared").expect("two policies");
    let filled = |part: &str, scope: &str| part.replace("LIMITS", LIMITS).replace("SCOPE", scope);
    Mesh::up(&format!("{}policy shared{}", filled(before, "pod"), filled(rest, "cluster")), data_plane)
}

/// A call to one of the services, by one of the clients.
struct Call<'m> {
    mesh: &'m Mesh,
    caller: &'static str,
    callee: &'static str,
}

impl Call<'_> {
    fn ask(&self, request: &Request) -> Response {
        let Self { mesh, caller, callee } = self;
        mesh.call(&format!("WEST_SHOP_{caller}__SHOP_{callee}_80"), request)
    }

    /// How many of so many requests are admitted; every other one is a 429.
    fn admitted(&self, count: usize, request: &Request) -> usize {
        let statuses: Vec<_> = (0..count).map(|_| self.ask(request).status).collect();
        assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
        statuses.iter().filter(|status| **status == 200).count()
    }
}

fn get(target: &str) -> Request {
    Request::get("limited", target)
}

fn counters_are_kept_for_each_value(data_plane: DataPlane) {
    let mesh = mesh(data_plane);
    for callee in ["PODS", "SHARED"] {
        let call = Call { mesh: &mesh, caller: "WEB", callee };
        let user = |path: &str, name: &str| get(path).header("x-user", name);

        // Each value for itself; none, and none to speak of, together.
        assert_eq!(call.admitted(5, &user("/each", "anna")), 3, "{callee}");
        assert_eq!(call.admitted(5, &user("/each", "bob")), 3, "{callee}");
        assert_eq!(call.admitted(2, &get("/each")), 2, "{callee}");
        assert_eq!(call.admitted(4, &user("/each", "")), 1, "{callee}: empty is missing");
        // The first line counts.
        assert_eq!(call.admitted(4, &user("/each", "carl").header("x-user", "anna")), 3, "{callee}");
        assert_eq!(call.admitted(1, &user("/each", "carl")), 0, "{callee}");
        // What is no printable ASCII cannot be told apart.
        assert_eq!(call.admitted(2, &user("/each", "ren\u{e9}")), 2, "{callee}");
        assert_eq!(call.admitted(4, &user("/each", "no\u{eb}l")), 1, "{callee}");
        // Of a long value the beginning counts.
        let long = "x".repeat(256);
        assert_eq!(call.admitted(2, &user("/each", &format!("{long}a"))), 2, "{callee}");
        assert_eq!(call.admitted(4, &user("/each", &format!("{long}b"))), 1, "{callee}");
        assert_eq!(call.admitted(9, &get("/other")), 9, "{callee}: other paths are free");

        let refused = call.ask(&user("/each", "anna"));
        let said = |name: &str| refused.headers.get(name).map_or("", String::as_str);
        assert_eq!((refused.status, said("x-envoy-ratelimited")), (429, "true"), "{refused:?}");
        let wait: u64 = said("retry-after").parse().expect("a number of seconds");
        let longest = if callee == "PODS" { 86_400 / 3 } else { 86_400 };
        assert!((1..=longest).contains(&wait), "{callee}: {wait}");

        // A total bounds them all.
        assert_eq!(call.admitted(3, &user("/total", "anna")), 3, "{callee}");
        assert_eq!(call.admitted(2, &user("/total", "bob")), 2, "{callee}");
        assert_eq!(call.admitted(3, &user("/total", "bob")), 0, "{callee}");
        assert_eq!(call.admitted(3, &user("/total", "carl")), 0, "{callee}");

        // A product: path, cookie and parameter, each as it counts.
        let part = |target: &str, cookie: &str| get(target).header("cookie", cookie);
        assert_eq!(call.admitted(2, &part("/part/1?t=ab", "a=0; c=x")), 2, "{callee}");
        assert_eq!(
            call.admitted(1, &part("/part//1?t=a%62&t=y", "c=\"x\"; c=y")),
            0,
            "{callee}: the same three"
        );
        assert_eq!(call.admitted(3, &part("/part/2?t=ab", "c=x")), 2, "{callee}: another path");
        assert_eq!(call.admitted(3, &part("/part/1?t=abc", "c=x")), 2, "{callee}: another parameter");
        assert_eq!(call.admitted(3, &part("/part/1?t=ab", "c=xy")), 2, "{callee}: another cookie");
        assert_eq!(call.admitted(3, &part("/part/1?t=ab", "d=x")), 2, "{callee}: no cookie");
        assert_eq!(call.admitted(1, &part("/part/1?t=%C3%A9", "c=x")), 1, "{callee}: no text");
        assert_eq!(call.admitted(3, &part("/part/9?t=%C3%A8", "c=y")), 1, "{callee}: no text either");

        // Callers by identity.
        let other = Call { mesh: &mesh, caller: "BATCH", callee };
        assert_eq!((call.admitted(4, &get("/who")), other.admitted(4, &get("/who"))), (2, 2), "{callee}");
    }
}

fn bursts_long_units_and_limits_in_audit(data_plane: DataPlane) {
    let mesh = mesh(data_plane);
    let pods = Call { mesh: &mesh, caller: "WEB", callee: "PODS" };
    let shared = Call { mesh: &mesh, caller: "WEB", callee: "SHARED" };
    assert_eq!(pods.admitted(9, &get("/burst")), 4, "more at once than in a year");
    assert_eq!(pods.admitted(9, &get("/slow")), 2, "fewer at once than in a day");
    assert_eq!((shared.admitted(4, &get("/week")), shared.admitted(4, &get("/year"))), (2, 2));

    for call in [&pods, &shared] {
        assert_eq!(call.admitted(6, &get("/tried")), 6, "{}", call.callee);
        let free = call.ask(&get("/tried"));
        let told: Vec<_> = free.headers.keys().filter(|name| name.contains("ratelimit")).collect();
        assert!(told.is_empty(), "{}: {told:?}", call.callee);
    }
    let counted = |sidecar: &str, name: &str| -> f64 {
        let metrics = mesh.metrics(&format!("west/sidecars/shop/{sidecar}"));
        let lines = metrics.lines().filter(|line| !line.starts_with('#') && line.contains(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    };
    // Seven requests, of which one was within the limit.
    let (pods, shared) = match data_plane {
        // Those that were refused are counted there as well: 5 and 7, 2 and 2.
        DataPlane::Envoy => (
            counted("pods", "rate_limit_rate_limited") - counted("pods", "rate_limit_enforced"),
            counted("shared", "over_limit") - 4.0,
        ),
        DataPlane::Meshd => (counted("pods", "would_be_over"), counted("shared", "would_be_over")),
    };
    assert_eq!((pods, shared), (6.0, 6.0));
}

crate::on_both_data_planes!(counters_are_kept_for_each_value, bursts_long_units_and_limits_in_audit);
