//! `meshc prove amplification` and `meshc prove deadlines`: what chains and circles of calls make of one request.

use serde_json::Value;

use crate::prove::MESH;
use crate::support::Directory;

#[test]
fn retries_multiply_and_time_runs_out_along_chains() {
    let chain = MESH
        .replace(
            "service store { clusters = [one, two],",
            "service store { clusters = [one, two], calls = [deep],",
        )
        .replace(
            "  route web",
            "  service deep { clusters = [one], calls = [end], port http { number = 80 } }
  service end { clusters = [one], port http { number = 80 } }
  policy deep { targets = [deep], retry { attempts = 2, when = [5xx] } }
  policy end { targets = [end], timeout = 5s, retry { attempts = 3, when = [503] } }
  policy store { targets = [store], timeout = 4s, retry { attempts = 1, when = [reset] } }
  route web",
        );
    let directory = Directory::new();
    directory.write("a.mesh", &chain);
    let prove = |what: &str| {
        let output = directory.run(&["prove", what, "a.mesh", "-o", "json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), found)
    };
    let (code, found) = prove("amplification");
    assert_eq!(code, Some(0));
    let of = |found: &Value, name: &str, key: &str| {
        let services = found["services"].as_array().unwrap();
        services.iter().find(|one| one["to"] == name).map(|one| one[key].clone()).unwrap()
    };
    assert_eq!(of(&found, "app.end", "times"), 2 * 3 * 4);
    assert_eq!(of(&found, "app.web", "times"), 1);
    let hops = of(&found, "app.end", "chain");
    let hops: Vec<&Value> = hops.as_array().unwrap().iter().map(|hop| &hop["tries"]).collect();
    assert_eq!(hops, [&Value::from(1), &Value::from(2), &Value::from(3), &Value::from(4)]);
    // `deep` has no bound of its own, so what is left to `end` is what `store` is waited for.
    let (code, found) = prove("deadlines");
    assert_eq!(code, Some(1));
    assert_eq!(of(&found, "app.end", "left_ms"), 4000);
    assert_eq!(of(&found, "app.web", "left_ms"), Value::Null);
    // The call of `deep` has no bound at all, which is longer still.
    let longer = found["longer"].as_array().unwrap();
    assert!(longer.iter().all(|one| one["by"]["to"] == "app.store"));
    let late =
        |to: &str| longer.iter().find(|one| one["call"]["to"] == to).map(|one| &one["call"]["timeout_ms"]);
    assert_eq!(longer.len(), 2);
    assert_eq!((late("app.end"), late("app.deep")), (Some(&Value::from(5000)), Some(&Value::Null)));
    // A bound, and a chain beyond it, which is shown all the same.
    directory.write("a.mesh", &chain.replace("trust = own }", "trust = own, max_amplification = 23 }"));
    assert_eq!(directory.run(&["check", "a.mesh"]).status.code(), Some(1));
    let (code, found) = prove("amplification");
    assert_eq!((code, of(&found, "app.end", "most")), (Some(1), Value::from(23)));
    directory.write("a.mesh", &chain.replace("trust = own }", "trust = own, max_amplification = 24 }"));
    directory.succeed(&["check", "a.mesh"]);
}

#[test]
fn a_circle_of_calls_that_are_sent_again_has_no_bound() {
    let mesh = |attempts: u32| {
        format!(
            "mesh m {{ trust_domain = \"cluster.local\" }}
network net {{}}
cluster one {{ network = net, region = \"r\" }}
namespace n {{
  defaults {{ service {{ clusters = [one], port http = 80 }} }}
  client in {{ clusters = [one], calls = [s1, side] }}
  service s1 {{ calls = [s2] }}
  service s2 {{ calls = [s1, s3] }}
  service s3 {{}}
  service side {{ calls = [s4] }}
  service s4 {{ calls = [s1] }}
  policy circle {{ targets = [s1, s2, s3], retry {{ attempts = {attempts}, when = [503] }} }}
  policy side {{ targets = [side, s4], retry {{ attempts = 1, when = [503] }} }}
}}
"
        )
    };
    let directory = Directory::new();
    let times = |mesh: &str| {
        directory.write("a.mesh", mesh);
        let output = directory.run(&["prove", "amplification", "a.mesh", "-o", "json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let of = |name: &str| {
            let services = found["services"].as_array().unwrap();
            services.iter().find(|one| one["to"] == name).cloned().unwrap()
        };
        ["n.s1", "n.s2", "n.s3", "n.side", "n.s4"].map(of)
    };
    let found = times(&mesh(3));
    let numbers: Vec<&Value> = found.iter().map(|one| &one["times"]).collect();
    assert_eq!(numbers, [&Value::Null, &Value::Null, &Value::Null, &Value::from(2), &Value::from(4)]);
    let [_, _, behind, side, _] = &found;
    let ends: Vec<(&Value, &Value)> =
        behind["circle"].as_array().unwrap().iter().map(|hop| (&hop["from"], &hop["to"])).collect();
    let (one, two) = (Value::from("n.s1"), Value::from("n.s2"));
    assert!(ends == [(&one, &two), (&two, &one)] || ends == [(&two, &one), (&one, &two)], "{ends:?}");
    assert_eq!(behind["chain"].as_array().unwrap().len(), 1);
    assert_eq!(side["circle"].as_array().unwrap().len(), 0);
    // Nothing is sent again on the circle: what gets in is all there is.
    let found = times(&mesh(0));
    let numbers: Vec<&Value> = found.iter().map(|one| &one["times"]).collect();
    assert_eq!(
        numbers,
        [&Value::from(4), &Value::from(4), &Value::from(4), &Value::from(2), &Value::from(4)]
    );
    // A bound on what is in the circle or behind it is not kept; one beside it is.
    for (service, code) in [("s2", 1), ("s3", 1), ("s4", 0)] {
        let bounded = mesh(3).replace(
            &format!("service {service} {{"),
            &format!("service {service} {{ max_amplification = 99,"),
        );
        let bounded = bounded.replace("99,}", "99 }");
        directory.write("a.mesh", &bounded);
        let output = directory.run(&["check", "a.mesh"]);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{service}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
