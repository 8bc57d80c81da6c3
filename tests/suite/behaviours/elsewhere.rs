//! What no story of both data planes can show, and what shows it.

/// A word of the language that says nothing that traffic on one machine could show.
pub(crate) struct Elsewhere {
    /// The word, as in `vocabulary.rs`.
    pub(crate) word: &'static str,
    /// Why no story has it.
    pub(crate) why: &'static str,
    /// A golden mesh that has it.
    pub(crate) proof: &'static str,
}

const fn elsewhere(word: &'static str, why: &'static str, proof: &'static str) -> Elsewhere {
    Elsewhere { word, why, proof }
}

const SHAPES: &str = "tests/golden/plan/many-shapes/mesh.mesh";
const MODEL: &str = "tests/golden/model/no-mistake-everything/mesh.mesh";

pub(crate) const OBJECT: &str = "It is in Kubernetes objects only; traffic is the same with and without it.";
const COUNT: &str = "It is about how many pods there are, and stories have one of each.";
const PROVED: &str = "It is proved before anything runs, by `meshc check` and `meshc prove`.";
const AS_CALLS: &str = "It declares calls as `calls` does.";
const CRITICAL: &str = "tests/golden/proof/met-critical/mesh.mesh";
const FILES: &str = "It is where certificates of the user's own are; the tests of `meshc trust` use them.";

/// All of them.
pub(crate) const ELSEWHERE: &[Elsewhere] = &[
    elsewhere("cluster kubernetes", OBJECT, MODEL),
    elsewhere("cluster network_policy", OBJECT, MODEL),
    elsewhere("cluster state", OBJECT, MODEL),
    elsewhere("cluster.gateway annotations", OBJECT, SHAPES),
    elsewhere("cluster.gateway labels", OBJECT, SHAPES),
    elsewhere("cluster.gateway.port node_port", OBJECT, SHAPES),
    elsewhere("cluster.gateway replicas", OBJECT, MODEL),
    elsewhere("cluster.gateway.autoscale", OBJECT, SHAPES),
    elsewhere("cluster.gateway.autoscale cpu", OBJECT, MODEL),
    elsewhere("cluster.gateway.autoscale max_replicas", OBJECT, SHAPES),
    elsewhere("cluster.gateway.autoscale memory", OBJECT, SHAPES),
    elsewhere("cluster.gateway.autoscale min_replicas", OBJECT, SHAPES),
    elsewhere("cluster.gateway.resources", OBJECT, SHAPES),
    elsewhere("cluster.gateway.resources cpu", OBJECT, SHAPES),
    elsewhere("cluster.gateway.resources cpu_limit", OBJECT, SHAPES),
    elsewhere("cluster.gateway.resources memory", OBJECT, SHAPES),
    elsewhere("cluster.gateway.resources memory_limit", OBJECT, SHAPES),
    elsewhere("cluster.gateway.service class", OBJECT, SHAPES),
    elsewhere("cluster.gateway.service external_traffic", OBJECT, SHAPES),
    elsewhere("cluster.gateway.service sources", OBJECT, SHAPES),
    elsewhere("cluster.gateway.service type", OBJECT, SHAPES),
    elsewhere("namespace.service.workload", OBJECT, SHAPES),
    elsewhere("namespace.service.workload kind", OBJECT, SHAPES),
    elsewhere("namespace.service.workload annotations", OBJECT, MODEL),
    elsewhere("namespace.service.workload container", OBJECT, MODEL),
    elsewhere("namespace.service.workload image", OBJECT, MODEL),
    elsewhere("namespace.service.workload labels", OBJECT, MODEL),
    elsewhere("namespace.service.probe", OBJECT, SHAPES),
    elsewhere("namespace.service.probe path", OBJECT, SHAPES),
    elsewhere("namespace.service.probe port", OBJECT, SHAPES),
    elsewhere("namespace.service.probe timeout", OBJECT, MODEL),
    elsewhere("namespace.service.metrics", OBJECT, SHAPES),
    elsewhere("namespace.service.metrics path", OBJECT, MODEL),
    elsewhere("namespace.service.metrics port", OBJECT, SHAPES),
    elsewhere("mesh max_amplification", PROVED, MODEL),
    elsewhere("namespace.service max_amplification", PROVED, MODEL),
    elsewhere("namespace.service.call", AS_CALLS, CRITICAL),
    elsewhere("namespace.service.call critical", PROVED, CRITICAL),
    elsewhere("namespace.service.call to", AS_CALLS, CRITICAL),
    elsewhere("namespace.route critical", PROVED, CRITICAL),
    elsewhere("namespace.route.rule critical", PROVED, CRITICAL),
    elsewhere("namespace.service.in replicas", COUNT, SHAPES),
    elsewhere("trust issuer.files.directory", FILES, MODEL),
];
