//! `meshc prove`: what it finds, that what it says mends does so, and how it exits.

use serde_json::Value;

use crate::support::Directory;

pub(crate) const MESH: &str = "\
mesh m { trust_domain = \"cluster.local\", trust = own }
trust own {}
network here {}
network there {}
cluster one {
  network = here
  region  = \"r\"
  gateway in { role = ingress, address = 192.0.2.1, port http { number = 80 } }
  gateway ew { role = east_west, address = 192.0.2.2 }
}
cluster two {
  network = there
  region  = \"r\"
  gateway ew { role = east_west, address = 192.0.2.3 }
  gateway out { role = egress, address = 192.0.2.4 }
}
namespace app {
  service web { clusters = [one], calls = [store, log, rates], port http { number = 80 } }
  service store { clusters = [one, two], port http { number = 80 } }
  service log { clusters = [two], port tcp { number = 5000, protocol = tcp } }
  external rates { hosts = [\"rates.example\"], through = two.out, port https { number = 443, protocol = tls } }
  route web { gateway = one.in, hosts = [\"shop.example\"], to = web }
  policy web { targets = [web], rate_limit { scope = cluster, total = 10/s, on_error = deny } }
}
";

/// The exit code, and what is proved.
fn proof(mesh: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let directory = Directory::new();
    directory.write("a.mesh", mesh);
    let output = directory.run(&[&["prove", "failover", "a.mesh", "-o", "json"], arguments].concat());
    let json = serde_json::from_slice(&output.stdout);
    (output.status.code(), json.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

/// The case of a call in which exactly this is lost.
fn case(proof: &Value, from: &str, to: &str, lost: &str) -> Option<Value> {
    let named = |flow: &&Value| flow["from"] == from && flow["to"] == to;
    let flow = proof["flows"].as_array().unwrap().iter().find(named);
    let flow = flow.unwrap_or_else(|| panic!("{from} -> {to}: {proof:#}"));
    let losses = proof["losses"].as_array().unwrap();
    let place = losses.iter().position(|loss| loss["name"] == lost);
    let place = place.unwrap_or_else(|| panic!("{lost}: {losses:?}"));
    let cases = flow["cases"].as_array().unwrap();
    cases.iter().find(|case| case["without"] == serde_json::json!([place])).cloned()
}

/// What a case comes to, and what mends it.
fn told(case: Option<Value>) -> (String, String) {
    let case = case.unwrap_or_else(|| panic!("nothing changes"));
    let text = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("verdict"), text("mend"))
}

const WEB: &str = "app.web in one";

#[test]
fn what_is_said_to_mend_something_mends_it() {
    let mends = [
        (
            WEB,
            "app.log",
            "two",
            "run `app.log` in `one` too",
            ("log { clusters = [two]", "log { clusters = [one, two]"),
        ),
        (
            WEB,
            "app.log",
            "two.ew",
            "declare a second east-west gateway in `two`",
            ("  gateway out", "  gateway ew2 { role = east_west, address = 192.0.2.9 }\n  gateway out"),
        ),
        (
            "one.in",
            "app.web",
            "rate limits of one",
            "let requests pass that cannot be counted: `rate_limit { on_error = allow }`",
            (", on_error = deny", ""),
        ),
        (
            "one.in",
            "app.web",
            "one.in",
            "serve the route at a gateway of another cluster, too",
            ("  route web { gateway = one.in,", "  route web { gateways = [one.in, one.in2],"),
        ),
        (
            WEB,
            "app.rates",
            "two.out",
            "reach the host without a gateway: leave `through` out; or call it from the gateway's cluster as well",
            (", through = two.out", ""),
        ),
    ];
    for (from, to, lost, mend, (old, new)) in mends {
        let (code, before) = proof(MESH, &[]);
        assert_eq!(code, Some(1));
        let found = told(case(&before, from, to, lost));
        assert_eq!(found, (String::from("not served"), mend.to_owned()), "{from} -> {to} without {lost}");
        let second = "  gateway in2 { role = ingress, address = 192.0.2.8, port http { number = 80 } }\n  gateway ew { role = east_west, address = 192.0.2.2 }";
        let mended =
            MESH.replace(old, new).replace("  gateway ew { role = east_west, address = 192.0.2.2 }", second);
        assert!(mended.contains(new));
        let (_, after) = proof(&mended, &[]);
        // What it named may be gone altogether.
        let is_named = after["losses"].as_array().unwrap().iter().any(|loss| loss["name"] == lost);
        if let Some(case) = is_named.then(|| case(&after, from, to, lost)).flatten() {
            assert_eq!(case["verdict"], "served", "{from} -> {to} without {lost}: {case:#}");
        }
    }
}

#[test]
fn bounds_are_put_together_from_declared_numbers() {
    let with = |policy: &str| {
        MESH.replace("  route web", &format!("  policy store {{ targets = [store], {policy} }}\n  route web"))
    };
    let of = |policy: &str, kind: &str, lost: &str| {
        let (_, found) = proof(&with(policy), &["--single", kind]);
        let case = case(&found, WEB, "app.store", lost);
        case.map(|case| {
            (case["verdict"].clone(), case["noticed_ms"].clone(), case["noticed_if_silent_ms"].clone())
        })
    };
    let store = "app.store in one";
    let served = |noticed: Option<u64>, silent: Option<u64>| {
        Some((Value::from("served"), Value::from(noticed), Value::from(silent)))
    };
    // 2 × 10 s + 1 s; silence is not noticed without a bound on requests.
    assert_eq!(of("failover { enabled = true }", "service", store), served(Some(21_000), None));
    assert_eq!(
        of("outlier { interval = 2s }, timeout = 3s", "service", store),
        served(Some(5_000), Some(7_000))
    );
    assert_eq!(of("pool { connect_timeout = 250ms }", "service", store), served(Some(20_250), None));
    // 3 × (1.1 × 2 s + 1 s)
    let checks = "health { check = http { path = \"/\" }, interval = 2s }";
    assert_eq!(of(checks, "service", store), served(Some(9_600), Some(9_600)));
    assert_eq!(of(checks, "hangs", store), served(Some(9_600), Some(9_600)));
    // What is not noticed is not left.
    let stuck = Some((Value::from("not served"), Value::Null, Value::Null));
    assert_eq!(of("failover { enabled = true }", "hangs", store), stuck);
    assert_eq!(of("failover { enabled = true }", "errors", store), stuck);
    assert_eq!(of("failover { enabled = true }", "unavailable", store), served(Some(21_000), Some(21_000)));
    assert_eq!(of("outlier { consecutive_5xx = 5 }", "errors", store), served(Some(21_000), Some(21_000)));
    assert_eq!(of("outlier { enabled = false }", "unavailable", store), stuck);
    assert_eq!(of("timeout = 2s", "hangs", store), served(Some(22_000), Some(22_000)));
    assert_eq!(of("timeout = 2s, outlier { max_ejected = 50% }", "hangs", store), stuck);
    assert_eq!(of("failover { enabled = true }", "resets", store), served(Some(21_000), Some(21_000)));
}

#[test]
fn requests_wait_or_fail_until_it_is_noticed() {
    let with = |policy: &str| {
        let mesh =
            MESH.replace("store { clusters = [one, two],", "store { clusters = [one, two], in one = 2,");
        mesh.replace("  route web", &format!("  policy store {{ targets = [store], {policy} }}\n  route web"))
    };
    let until = |policy: &str, kind: &str| {
        let (_, found) = proof(&with(policy), &["--single", kind]);
        case(&found, WEB, "app.store", "app.store in one").map(|case| case["until_noticed"].clone()).unwrap()
    };
    let wait = |most: u64| serde_json::json!({ "requests": "wait", "most_ms": most, "methods": [] });
    // Another of the two pods first, then the other cluster: 2 × (1 s + 250 ms).
    assert_eq!(until("failover { enabled = true }", "service"), wait(2500));
    assert_eq!(until("failover { enabled = true }", "pod"), wait(1250));
    assert_eq!(until("timeout = 2s", "service"), serde_json::json!({ "requests": "fail" }));
    let retry = "retry { attempts = 1, when = [503], other_localities = true }";
    assert_eq!(until(retry, "service"), wait(1250));
    let methods = &until(retry, "unavailable")["methods"];
    assert!(methods.as_array().unwrap().contains(&Value::from("GET")), "{methods}");
    assert_eq!(
        until("retry { attempts = 0, when = [503] }", "service"),
        serde_json::json!({ "requests": "fail" })
    );
}

/// Two clusters that share a service, and a route with two destinations that stand in for each other.
const SHARES: &str = "\
mesh m { trust_domain = \"cluster.local\" }
network here {}
network there {}
cluster one {
  network = here
  region  = \"r\"
  gateway in { role = ingress, address = 192.0.2.1, port http { number = 80 } }
  gateway ew { role = east_west, address = 192.0.2.2 }
}
cluster two { network = there, region = \"r\", gateway ew { role = east_west, address = 192.0.2.3 } }
namespace app {
  defaults { service { clusters = [one, two], port http { number = 80, target = 8080 } } }
  client web { clusters = [one], calls = [store] }
  service store {}
  service left { clusters = [one] }
  service right { clusters = [two] }
  route ends {
    gateway = one.in
    hosts = [\"shop.example\"]
    failover = destinations
    destination { to = left, weight = 30 }
    destination { to = right, weight = 70 }
  }
  policy store { targets = [store], failover { locality = { one = 50, two = 50 } } }
  policy all { targets = [store, left, right], outlier { enabled = true } }
}
";

#[test]
fn what_is_neither_noticed_nor_sent_again_is_not_served() {
    let with = |policy: &str| SHARES.replace("outlier { enabled = true }", policy);
    let of = |mesh: &str, (from, to): (&str, &str), lost: &str| {
        let (_, found) = proof(mesh, &["--single", "service"]);
        case(&found, from, to, lost).unwrap()
    };
    let told = |case: &Value| {
        (
            case["verdict"].as_str().unwrap().to_owned(),
            case["noticed_ms"].clone(),
            case["unanswered"]["weight"].clone(),
            case["until_noticed"]["requests"].clone(),
        )
    };
    let shares = (WEB, "app.store");
    let destinations = ("one.in", "app.left or app.right");
    let fails = Value::from("fail");
    // What others take over is taken over when it is noticed: 2 × 10 s + 1 s.
    let mesh = with("outlier { enabled = true }");
    let noticed = (String::from("served"), Value::from(21_000), Value::from(0), fails.clone());
    assert_eq!(told(&of(&mesh, shares, "app.store in one")), noticed);
    assert_eq!(told(&of(&mesh, destinations, "app.right in two")), noticed);
    // Each gateway leaves its clients to the other, which serves a part.
    let two = with("outlier { enabled = false }")
        .replace("gateway = one.in", "gateways = [one.in, two.in]")
        .replace(
            "192.0.2.3 } }",
            "192.0.2.3 }, gateway in { role = ingress, address = 192.0.2.4, port http { number = 80 } } }",
        );
    let (_, found) = proof(&two, &["--single", "cluster"]);
    let part = case(&found, "one.in", "app.left or app.right", "one").unwrap();
    assert_eq!((&part["verdict"], &part["unanswered"]["weight"]), (&Value::from("partly"), &Value::from(30)));
    let mesh = with("health { check = http { path = \"/\" }, interval = 2s }");
    assert_eq!(told(&of(&mesh, destinations, "app.left in one")).1, Value::from(9_600));
    for policy in [
        "outlier { enabled = false }",
        "outlier { max_ejected = 50% }",
        "outlier { enabled = false }, retry { attempts = 0 }",
    ] {
        let mesh = with(policy);
        let case = of(&mesh, shares, "app.store in one");
        let stays = |weight: u64| (String::from("partly"), Value::Null, Value::from(weight), Value::Null);
        assert_eq!(told(&case), stays(50), "{policy}");
        assert_eq!(told(&of(&mesh, destinations, "app.left in one")), stays(30), "{policy}");
        let mend = case["mend"].as_str().unwrap();
        assert!(mend.contains("outlier { enabled = true }") || mend.contains("max_ejected = 100%"), "{mend}");
        assert!(!mend.contains("run `"), "{mend}");
    }
    // A cluster without a share takes nothing over until it has one.
    let mesh = SHARES.replace("one = 50, two = 50", "one = 100, two = 0");
    let case = of(&mesh, shares, "app.store in one");
    assert_eq!(case["verdict"], "not served");
    assert_eq!(case["mend"], "give `two` a share: `failover { locality = { two = 1, … } }`");
    let mesh = SHARES.replace("one = 50, two = 50", "one = 99, two = 1");
    assert_eq!(of(&mesh, shares, "app.store in one")["verdict"], "served");
}

#[test]
fn retries_carry_what_their_budget_admits() {
    let with = |policy: &str, plane: &str| {
        let mesh = MESH.replace("trust = own }", &format!("trust = own, data_plane = {plane} }}"));
        mesh.replace("  route web", &format!("  policy store {{ targets = [store], {policy} }}\n  route web"))
    };
    let of = |policy: &str, plane: &str| {
        let (_, found) = proof(&with(policy, plane), &["--single", "service"]);
        let case = case(&found, WEB, "app.store", "app.store in one").unwrap();
        (case["verdict"].as_str().unwrap().to_owned(), case["until_noticed"]["requests"].clone())
    };
    let (served, stuck) = (String::from("served"), String::from("not served"));
    let (fail, wait) = (Value::from("fail"), Value::from("wait"));
    let none = "pool { retry_budget = 0%, min_concurrent_retries = 0 }";
    for plane in ["envoy", "meshd"] {
        assert_eq!(of(none, plane), (served.clone(), fail.clone()));
        assert_eq!(of(&format!("outlier {{ enabled = false }}, {none}"), plane).0, stuck);
        // A fifth of all requests is not all of them.
        assert_eq!(of("outlier { enabled = false }", plane).0, stuck);
        let all = "pool { max_concurrent_requests = 50, min_concurrent_retries = 50 }";
        assert_eq!(
            of(&format!("outlier {{ enabled = false }}, {all}"), plane),
            (served.clone(), wait.clone())
        );
    }
    // In several groups, Envoy's share is one of no requests.
    let share = "outlier { enabled = false }, pool { retry_budget = 100%, min_concurrent_retries = 0 }";
    assert_eq!(of(share, "meshd"), (served, wait));
    assert_eq!(of(share, "envoy").0, stuck);
}

#[test]
fn rules_of_access_are_part_of_the_proof() {
    let with = |policy: &str| {
        MESH.replace("calls = [store, log, rates]", "call { to = [store], critical = true }").replace(
            "  policy web",
            &format!("  policy store {{ targets = [store], {policy} }}\n  policy web"),
        )
    };
    let of = |policy: &str| {
        let (code, found) = proof(&with(policy), &["--single", "pod", "--critical"]);
        let flow = found["flows"].as_array().unwrap().first().cloned().unwrap();
        (code, found["verdict"].clone(), flow["verdict"].clone(), flow["admitted"].clone())
    };
    let checked = |policy: &str| {
        let directory = Directory::new();
        directory.write("a.mesh", &with(policy));
        let output = directory.run(&["check", "a.mesh"]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let told = |code: i32, all: &str, flow: &str, admitted: &str| {
        (Some(code), Value::from(all), Value::from(flow), Value::from(admitted))
    };
    let open = told(3, "depends", "served", "depends");
    assert_eq!(of("allow { from = [web] }"), told(0, "served", "served", "yes"));
    for policy in [
        "allow { from = [web], addresses = [10.1.0.0/16] }",
        "deny { from = [web], match { prefix = \"/admin\" } }",
        "deny { from = [web], addresses = [::/0] }",
    ] {
        assert_eq!(of(policy), open, "{policy}");
        assert_eq!(checked(policy).0, Some(0), "{policy}");
    }
    for policy in [
        "deny { from = [web], addresses = [0.0.0.0/0] }",
        "deny { from = [web], addresses = [10.0.0.0/8, 0.0.0.0/0] }",
    ] {
        assert_eq!(of(policy), told(1, "not served", "not served", "no"), "{policy}");
        let (code, said) = checked(policy);
        assert_eq!(code, Some(1), "{policy}");
        assert!(said.contains("E0830") && said.contains("even if nothing is lost"), "{said}");
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    let (code, found) = proof(MESH, &["--single", "pod"]);
    assert_eq!((code, &found["verdict"]), (Some(0), &Value::from("served")));
    assert_eq!(proof(MESH, &["--critical"]).0, Some(0), "no call is critical");
    assert_eq!(proof(MESH, &[]).0, Some(1));
    // Two destinations, of which one is lost.
    let to = "destination { to = store, weight = 3 }, destination { to = web, weight = 1 }";
    let shares = MESH.replace("to = web }", &format!("{to} }}")).replace(", on_error = deny", "");
    let (code, found) = proof(&shares, &["--single", "service"]);
    assert_eq!(code, Some(1));
    let case = case(&found, "one.in", "app.store or app.web", "app.web in one").unwrap();
    assert_eq!(case["verdict"], "partly");
    assert_eq!(case["unanswered"], serde_json::json!({ "weight": 1, "of": 4 }));
    assert_eq!(case["mend"], "let its other destinations take over: `failover = destinations`");
    let directory = Directory::new();
    directory.write("a.mesh", &MESH.replace("to = web }", "to = wbe }"));
    assert_eq!(directory.run(&["prove", "failover", "a.mesh"]).status.code(), Some(2));
}

#[test]
fn what_is_critical_and_refuted_is_an_error_that_can_be_looked_at() {
    let critical = MESH.replace(
        "calls = [store, log, rates]",
        "calls = [store, rates], call { to = [log], critical = true }",
    );
    let directory = Directory::new();
    directory.write("a.mesh", &critical);
    let output = directory.run(&["check", "a.mesh"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains("E0830"));
    let (code, found) = proof(&critical, &["--critical"]);
    assert_eq!(code, Some(1));
    let flows = found["flows"].as_array().unwrap();
    assert_eq!(flows.len(), 1, "{flows:?}");
    assert!(flows.iter().all(|flow| flow["to"] == "app.log"));
    // Mended, and nothing is left to say.
    directory.write("a.mesh", &critical.replace("log { clusters = [two]", "log { clusters = [one, two]"));
    directory.succeed(&["check", "a.mesh"]);
    // Another error hides the proof.
    assert_eq!(proof_code(&critical.replace("to = web }", "to = wbe }")), Some(2));
}

fn proof_code(mesh: &str) -> Option<i32> {
    let directory = Directory::new();
    directory.write("a.mesh", mesh);
    directory.run(&["prove", "failover", "a.mesh", "--critical"]).status.code()
}

#[test]
fn a_question_without_an_egress_gateway_does_not_reach_through_it() {
    let directory = Directory::new();
    directory.write("a.mesh", MESH);
    let ask = |question: &str| directory.run(&["ask", question, "a.mesh"]).status.code();
    assert_eq!(ask("can app.web call app.rates"), Some(0));
    assert_eq!(ask("can app.web call app.rates without two.out"), Some(1));
    assert_eq!(ask("can app.web call app.rates without here -> there"), Some(1));
}
