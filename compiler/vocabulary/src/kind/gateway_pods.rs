//! How the pods and the Service of a gateway are deployed.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink, Span, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{ANY_TEXT, Attribute, Constant, Kind, Label, Name, Part, Relation, Rule, Type};
use lang_syntax::ast::Decimal;

use super::{exclusive, listed_twice};
use crate::codes;
use crate::forms;
use crate::model::policy::AddressRange;
use crate::model::{
    Autoscale, ExternalTraffic, GatewayPort, GatewayRole, GatewayService, Resources, ServiceType,
};
use crate::policy::Percent;
use crate::symbols::symbols;
use crate::words;

/// The least memory that a proxy works in, in bytes: Envoy alone is half of it.
const LEAST_MEMORY: u64 = 128 << 20;

symbols! {
    /// The types of a Service.
    TYPES: ServiceType {
        "load_balancer" | "loadbalancer" => ServiceType::LoadBalancer, "a load balancer of the cluster's provider";
        "node_port" | "nodeport" => ServiceType::NodePort, "a port of every node";
        "cluster_ip" | "clusterip" => ServiceType::ClusterIp, "an address inside the cluster only";
    }
}

symbols! {
    /// Where nodes send what arrives from outside.
    EXTERNAL_TRAFFIC: ExternalTraffic {
        "cluster" => ExternalTraffic::Cluster, "to any pod; the gateway sees the address of the node instead of the client's";
        "local" => ExternalTraffic::Local, "to pods of the node only, from the client's address";
    }
}

pub(crate) static SERVICE: Kind = Kind {
    word: "service",
    documentation: "The Kubernetes Service of the gateway.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::TYPE),
    relations: &[
        Relation {
            rule: Rule::Requires(Part::Attribute(words::CLASS), &[Part::Is(words::TYPE, "load_balancer")]),
            code: codes::EXCLUSIVE,
            reason: "only a load balancer has a class",
            help: "remove it, or write `type = load_balancer`",
        },
        Relation {
            rule: Rule::Requires(Part::Attribute(words::SOURCES), &[Part::Is(words::TYPE, "load_balancer")]),
            code: codes::EXCLUSIVE,
            reason: "only a load balancer tells where connections come from",
            help: "remove it, or admit clients with `allow { addresses }` in a policy of the gateway",
        },
        Relation {
            rule: Rule::Excludes(
                Part::Is(words::TYPE, "cluster_ip"),
                &[Part::Is(words::EXTERNAL_TRAFFIC, "local")],
            ),
            code: codes::EXCLUSIVE,
            reason: "nothing arrives from outside at an address inside the cluster",
            help: "remove it",
        },
    ],
    attributes: &[
        Attribute::defaulted(
            words::TYPE,
            Type::Symbol(TYPES),
            Constant::Symbol("load_balancer"),
            "How clients outside the cluster reach it.",
        ),
        Attribute::optional(
            words::CLASS,
            Type::Text(&forms::LABEL_KEY),
            "The `loadBalancerClass` that is asked for. Only with a load balancer.",
        ),
        Attribute::optional(
            words::ANNOTATIONS,
            Type::Map { key: &forms::LABEL_KEY, of: &Type::Text(&ANY_TEXT) },
            "Annotations, by which providers of load balancers are configured.",
        ),
        Attribute::defaulted(
            words::EXTERNAL_TRAFFIC,
            Type::Symbol(EXTERNAL_TRAFFIC),
            Constant::Symbol("cluster"),
            "Where a node sends what arrives from outside (`externalTrafficPolicy`).",
        ),
        Attribute::optional(
            words::SOURCES,
            Type::some(&Type::Union(&[Type::Cidr, Type::Ip])),
            "From where the load balancer takes connections (`loadBalancerSourceRanges`), if it can tell; who is admitted at \
             the gateway itself is said by `allow` in a policy. Only with a load balancer.",
        ),
    ],
    blocks: &[],
};

pub(crate) static RESOURCES: Kind = Kind {
    word: "resources",
    documentation: "What each pod of the gateway is given. What is not said is as for every proxy.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[
        Relation {
            rule: Rule::NotGreater { least: words::CPU, otherwise: None, most: words::CPU_LIMIT },
            code: codes::BAD_RESOURCES,
            reason: "more would be reserved than the pods may have",
            help: "raise the limit, or reserve less",
        },
        Relation {
            rule: Rule::NotGreater { least: words::MEMORY, otherwise: None, most: words::MEMORY_LIMIT },
            code: codes::BAD_RESOURCES,
            reason: "more would be reserved than the pods may have",
            help: "raise the limit, or reserve less",
        },
    ],
    attributes: &[
        Attribute::derived(words::CPU, Type::Decimal, "`0.02`", "Processor time that is reserved, in cores."),
        Attribute::optional(words::CPU_LIMIT, Type::Decimal, "The most processor time, in cores."),
        Attribute::derived(words::MEMORY, Type::Size, "`128MiB`", "Memory that is reserved."),
        Attribute::derived(
            words::MEMORY_LIMIT,
            Type::Size,
            "`1GiB`, on meshd `512MiB`",
            "The most memory, at least 128MiB. The proxy's own bounds follow it: how many clients it takes, and when it \
             lets some of them go.",
        ),
    ],
    blocks: &[],
};

pub(crate) static AUTOSCALE: Kind = Kind {
    word: "autoscale",
    documentation: "The number of replicas follows their load: a HorizontalPodAutoscaler. Not together with `replicas`.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[Relation {
        rule: Rule::NotGreater { least: words::MIN_REPLICAS, otherwise: None, most: words::MAX_REPLICAS },
        code: codes::BAD_RESOURCES,
        reason: "the most replicas would be fewer than the fewest",
        help: "raise `max_replicas`, or lower `min_replicas`, which is 2 unless said",
    }],
    attributes: &[
        Attribute::defaulted(
            words::MIN_REPLICAS,
            Type::Integer(1, 1000),
            Constant::Integer(2),
            "The fewest replicas.",
        ),
        Attribute::required(words::MAX_REPLICAS, Type::Integer(1, 1000), "The most replicas."),
        Attribute::optional(
            words::CPU,
            Type::WholePercentage,
            "The share of the reserved processor time that is aimed at; 80 % if neither is said.",
        ),
        Attribute::optional(
            words::MEMORY,
            Type::WholePercentage,
            "The share of the reserved memory that is aimed at.",
        ),
    ],
    blocks: &[],
};

pub(crate) fn service(block: &Block, role: GatewayRole) -> Option<GatewayService> {
    let has_address =
        [words::ADDRESS, words::ADDRESSES].into_iter().any(|name| block.written(name).is_some());
    let Some(block) = block.block(&SERVICE) else {
        return Some(GatewayService {
            kind: match role {
                GatewayRole::Ingress | GatewayRole::EastWest => ServiceType::LoadBalancer,
                // Its callers are in the cluster, unless an address says that others are not.
                GatewayRole::Egress if has_address => ServiceType::LoadBalancer,
                GatewayRole::Egress => ServiceType::ClusterIp,
            },
            class: None,
            annotations: BTreeMap::new(),
            external_traffic: ExternalTraffic::Cluster,
            sources: Vec::new(),
        });
    };
    let kind = block.get::<ServiceType>(words::TYPE)?;
    let external_traffic = block.get::<ExternalTraffic>(words::EXTERNAL_TRAFFIC)?;
    let class = block.get::<String>(words::CLASS);
    let sources = block.get::<Vec<Spanned<AddressRange>>>(words::SOURCES);
    let sources = sources.map(|sources| sources.value).unwrap_or_default();
    Some(GatewayService {
        kind: kind.value,
        class,
        annotations: texts(block, words::ANNOTATIONS),
        external_traffic: external_traffic.value,
        sources: sources.into_iter().map(|range| range.value).collect(),
    })
}

/// Texts by key.
pub(crate) fn texts(block: &Block, name: Name) -> BTreeMap<String, String> {
    let map = block.get::<Vec<(Spanned<String>, Spanned<String>)>>(name);
    let map = map.map(|map| map.value).unwrap_or_default();
    map.into_iter().map(|(key, value)| (key.value, value.value)).collect()
}

/// Reports numbers at nodes that two ports have, and those of a Service that no node knows.
pub(crate) fn check_node_ports(
    ports: &[GatewayPort],
    service: &GatewayService,
    block: &Block,
    sink: &mut Sink,
) {
    let mut seen: BTreeMap<u16, Span> = BTreeMap::new();
    for node_port in ports.iter().filter_map(|port| port.node_port.as_ref()) {
        if let Some(first) = seen.insert(node_port.value, node_port.span) {
            sink.push(listed_twice(node_port.span, "this number", first));
        }
        if service.kind == ServiceType::ClusterIp {
            let kind = block.block(&SERVICE).and_then(|inner| inner.written(words::TYPE));
            sink.push(
                exclusive(
                    node_port.span,
                    words::NODE_PORT.text(),
                    kind.unwrap_or(block.kind_span),
                    "type = cluster_ip",
                )
                .help("such a Service has no ports at nodes; remove it, or write `service { type = node_port }`"),
            );
        }
    }
}

pub(crate) fn resources(block: &Block, sink: &mut Sink) -> Resources {
    let Some(block) = block.block(&RESOURCES) else { return Resources::default() };
    let cpu = |name: Name, sink: &mut Sink| {
        let cores = block.get::<Decimal>(name)?;
        // A decimal is in units of 10⁻⁹, and Kubernetes counts thousandths.
        let thousandths = cores.value.nanos / 1_000_000;
        if thousandths == 0 {
            sink.push(too_little(cores.span, "less than a thousandth of a core"));
        }
        Some(Spanned::new(thousandths, cores.span))
    };
    let (reserved, most) = (cpu(words::CPU, sink), cpu(words::CPU_LIMIT, sink));
    let (memory, memory_limit) = (block.get::<u64>(words::MEMORY), block.get::<u64>(words::MEMORY_LIMIT));
    if let Some(limit) = memory_limit.as_ref().filter(|limit| limit.value < LEAST_MEMORY) {
        sink.push(too_little(limit.span, "less memory than a proxy works in, which is 128MiB"));
    }
    let number = |value: Option<Spanned<u64>>| value.map(|value| value.value);
    Resources {
        cpu: number(reserved),
        cpu_limit: number(most),
        memory: number(memory),
        memory_limit: number(memory_limit),
    }
}

fn too_little(span: lang_diagnostics::Span, what: &str) -> Diagnostic {
    Diagnostic::error(codes::BAD_RESOURCES, span, format!("this is {what}"))
        .label("too little")
        .help("write more, or leave it out for what every proxy has")
}

/// The fewest replicas, and how their number follows their load.
pub(crate) fn scale(block: &Block) -> Option<(u32, Option<Autoscale>)> {
    let replicas = block.get::<u32>(words::REPLICAS)?;
    let Some(inner) = block.block(&AUTOSCALE) else { return Some((replicas.value, None)) };
    let (fewest, most) = (inner.get::<u32>(words::MIN_REPLICAS)?, inner.get::<u32>(words::MAX_REPLICAS)?);
    let share = |name: Name| u8::try_from(inner.get::<Percent>(name)?.value.0).ok();
    let (cpu, memory) = (share(words::CPU), share(words::MEMORY));
    // Kubernetes' own choice.
    let cpu = if cpu.is_none() && memory.is_none() { Some(80) } else { cpu };
    Some((fewest.value, Some(Autoscale { origin: inner.origin(), most: most.value, cpu, memory })))
}
