//! Synthetic meshes of any size: services × clusters × calls per service, from a seed.

use std::fmt::Write;

use crate::random::Random;

/// The size and shape of a synthetic mesh.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many services, at least 1.
    pub services: usize,
    /// How many clusters, each in a network of its own, at least 1.
    pub clusters: usize,
    /// How many other services each one calls.
    pub calls: usize,
    /// The same seed gives the same text.
    pub seed: u64,
    /// One call in so many may leave its cluster, one service in so many runs in a second one or has a route.
    pub rare: usize,
}

/// How many services share a namespace.
const PER_NAMESPACE: usize = 50;
/// What is rare unless somebody wants it otherwise. A gateway's configuration grows with what passes through it, and at 10,000 services
/// in two clusters it must still fit a ConfigMap.
pub const RARE: usize = 64;

/// The text of a synthetic mesh. Every service has a port; few leave their
/// cluster, as in meshes that people run.
#[must_use]
pub fn mesh(shape: Shape) -> String {
    let Shape { services, clusters, calls, seed, rare } = shape;
    let mut random = Random::new(seed);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let out = &mut text;
    let _ = writeln!(out, "mesh synthetic {{\n  trust_domain = \"cluster.local\"\n  trust = acme\n}}\n");
    let _ = writeln!(
        out,
        "trust acme {{\n  issuer = builtin\n  root {{ common_name = \"root.example\", lifetime = 10y }}"
    );
    let _ = writeln!(out, "  intermediate {{ lifetime = 1y }}\n  workload {{ lifetime = 90d }}\n}}\n");
    for cluster in 0..clusters {
        let _ = writeln!(out, "network n{cluster} {{}}\n\ncluster c{cluster} {{\n  network = n{cluster}");
        let _ = writeln!(out, "  region = \"r{}\"\n  zone = \"{}\"", cluster / 2, cluster % 2);
        let _ =
            writeln!(out, "  gateway ingress {{\n    role = ingress\n    address = 192.0.2.{}", cluster + 1);
        let _ = writeln!(out, "    port http {{ number = 80 }}\n  }}");
        let _ = writeln!(
            out,
            "  gateway eastwest {{ role = east_west, address = 198.51.100.{} }}\n}}\n",
            cluster + 1
        );
    }
    let mut place = || {
        let home = random.below(clusters);
        (home, if random.below(rare) == 0 { random.below(clusters) } else { home })
    };
    let homes: Vec<(usize, usize)> = (0..services).map(|_| place()).collect();
    let mut residents = vec![Vec::new(); clusters];
    for (service, (home, second)) in homes.iter().enumerate() {
        residents[*home].push(service);
        if second != home {
            residents[*second].push(service);
        }
    }
    let name = |service: usize| format!("n{}.s{service}", service / PER_NAMESPACE);
    for first in (0..services).step_by(PER_NAMESPACE) {
        let _ = writeln!(out, "namespace n{} {{", first / PER_NAMESPACE);
        for (service, &(home, second)) in homes.iter().enumerate().skip(first).take(PER_NAMESPACE) {
            let runs = if second == home { format!("[c{home}]") } else { format!("[c{home}, c{second}]") };
            let _ = writeln!(out, "  service s{service} {{\n    clusters = {runs}");
            let _ = writeln!(out, "    port http {{ number = 80, target = 8080, bind = loopback }}");
            let mut callee = || {
                let near = &residents[home];
                if random.below(rare) == 0 { random.below(services) } else { near[random.below(near.len())] }
            };
            let mut callees: Vec<usize> =
                (0..calls).map(|_| callee()).filter(|one| *one != service).collect();
            callees.sort_unstable();
            callees.dedup();
            if !callees.is_empty() {
                let callees: Vec<_> = callees.into_iter().map(name).collect();
                let _ = writeln!(out, "    calls = [{}]", callees.join(", "));
            }
            let _ = writeln!(out, "  }}");
            if service % rare == 0 {
                let _ = writeln!(out, "  policy p{service} {{\n    targets = [s{service}]");
                let _ = writeln!(
                    out,
                    "    outlier {{ consecutive_5xx = 3, interval = 10s, ejection = 30s }}\n  }}"
                );
                let _ = writeln!(out, "  route r{service} {{\n    gateway = c{home}.ingress");
                let _ = writeln!(out, "    hosts = [\"s{service}.example.org\"]\n    to = s{service}\n  }}");
            }
        }
        let _ = writeln!(out, "}}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_mesh() {
        let shape = Shape { services: 120, clusters: 3, calls: 4, seed: 7, rare: RARE };
        assert_eq!(mesh(shape), mesh(shape));
        assert_ne!(mesh(shape), mesh(Shape { seed: 8, ..shape }));
        assert_eq!(mesh(shape).matches("  service ").count(), 120);
    }
}
