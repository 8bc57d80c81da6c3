//! `cluster`: a Kubernetes cluster.

use lang_diagnostics::Origin;
use lang_evaluate::schema::{Attribute, Constant, Count, Kind, Label, Nested, Reference, Type};
use lang_evaluate::{Block, Target};

use super::{gateway, mesh};
use crate::build::Ids;
use crate::forms;
use crate::model::{
    Cluster, ClusterState, DataPlane, IpFamily, KubernetesVersion, NetworkPolicyEnforcement, Platform,
};
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// Address families.
    IP_FAMILIES: IpFamily {
        "ipv4" => IpFamily::V4, "IPv4 only";
        "ipv6" => IpFamily::V6, "IPv6 only";
        "dual" => IpFamily::Dual, "both; a name that has IPv4 addresses is reached at those";
    }
}

symbols! {
    /// Whether NetworkPolicies hold.
    NETWORK_POLICY: NetworkPolicyEnforcement {
        "enforced" => NetworkPolicyEnforcement::Enforced, "the network plugin enforces them";
        "none" => NetworkPolicyEnforcement::None, "it does not, so that a port bound to any address would be exposed";
    }
}

symbols! {
    /// What services run on.
    PLATFORMS: Platform {
        "kubernetes" => Platform::Kubernetes, "pods of Kubernetes";
        "machines" | "vm" | "vms" | "systemd" => Platform::Machines,
            "machines with systemd: `build` writes a folder for each service and gateway, with a unit, the configuration and \
             a README";
    }
}

symbols! {
    /// Where a cluster stands in its life.
    STATES: ClusterState {
        "joining" => ClusterState::Joining, "it gets its configuration, but no traffic from other clusters yet";
        "active" => ClusterState::Active, "it takes part";
        "draining" => ClusterState::Draining, "it gets no new traffic from other clusters";
    }
}

pub(crate) static KIND: Kind = Kind {
    word: words::kind::CLUSTER,
    documentation: "A Kubernetes cluster, or machines of one place that are not in Kubernetes (`platform = machines`). Services \
                    there say where they are (`in dc { addresses = [10.0.0.5] }`), call others and are called as pods are, \
                    with the identity of their account; clusters of other networks reach them through an east-west gateway \
                    of theirs, which is a machine too. Each machine has one proxy. There are no NetworkPolicies, so \
                    applications listen on 127.0.0.1, and no rate-limit service.",
    label: Label::Required(&forms::NAME),
    space: Some("cluster"),
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::required(
            words::NETWORK,
            Type::Reference(&Reference::to(&[words::kind::NETWORK])),
            "The network that its pods are in.",
        ),
        Attribute::required(words::REGION, Type::Text(&forms::NON_EMPTY), "Its region."),
        Attribute::defaulted(
            words::ZONE,
            Type::Text(&lang_evaluate::schema::ANY_TEXT),
            Constant::Text(""),
            "Its zone within the region.",
        ),
        Attribute::derived(
            words::DOMAIN,
            Type::Text(&forms::DNS_NAME),
            "`cluster.local`, which other clusters cannot resolve",
            "The DNS domain of its services. Set it only if other clusters of the same network can resolve it.",
        ),
        Attribute::defaulted(
            words::IP_FAMILY,
            Type::Symbol(IP_FAMILIES),
            Constant::Symbol("ipv4"),
            "The address family of its pods.",
        ),
        Attribute::defaulted(
            words::KUBERNETES,
            Type::Text(&forms::KUBERNETES_VERSION),
            Constant::Text("1.33"),
            "Its Kubernetes version, in quotes.",
        ),
        Attribute::defaulted(
            words::NETWORK_POLICY,
            Type::Symbol(NETWORK_POLICY),
            Constant::Symbol("enforced"),
            "Whether its network plugin enforces NetworkPolicy.",
        ),
        Attribute::defaulted(
            words::PLATFORM,
            Type::Symbol(PLATFORMS),
            Constant::Symbol("kubernetes"),
            "What its services and gateways run on.",
        ),
        Attribute::defaulted(
            words::STATE,
            Type::Symbol(STATES),
            Constant::Symbol("active"),
            "Whether it is joining, active or draining.",
        ),
        Attribute::derived(
            words::TRUST_DOMAIN,
            Type::Text(&forms::TRUST_DOMAIN),
            "the mesh's",
            "Its own SPIFFE trust domain.",
        ),
        Attribute::derived(
            words::DATA_PLANE,
            Type::Symbol(mesh::DATA_PLANES),
            "the mesh's",
            "Its own data plane.",
        ),
    ],
    blocks: &[Nested { kind: &gateway::KIND, count: Count::Many }],
};

pub(crate) fn convert(block: &Block, ids: &Ids) -> Option<Cluster> {
    let network = block.get::<Target>(words::NETWORK)?.value;
    let domain = block.get::<String>(words::DOMAIN).map(|domain| domain.value);
    let (major, minor) = forms::kubernetes_version(&block.get::<String>(words::KUBERNETES)?.value)?;
    let data_plane = block.get::<DataPlane>(words::DATA_PLANE);
    let platform = block.get::<Platform>(words::PLATFORM)?.value;
    Some(Cluster {
        origin: block.origin(),
        name: block.name().to_owned(),
        network: *ids.networks.get(&network.entity)?,
        region: block.get::<String>(words::REGION)?.value,
        zone: block.get::<String>(words::ZONE)?.value,
        domain_resolvable: domain.is_some(),
        domain: domain.unwrap_or_else(|| String::from("cluster.local")),
        ip_family: block.get::<IpFamily>(words::IP_FAMILY)?.value,
        kubernetes: KubernetesVersion { major, minor },
        network_policy: match platform {
            Platform::Kubernetes => block.get::<NetworkPolicyEnforcement>(words::NETWORK_POLICY)?.value,
            Platform::Machines => NetworkPolicyEnforcement::None,
        },
        platform,
        state: block.get::<ClusterState>(words::STATE)?.value,
        trust_domain: block.get::<String>(words::TRUST_DOMAIN).map(|domain| domain.value),
        data_plane: data_plane.map(|choice| choice.value),
        data_plane_origin: data_plane.map(|choice| Origin::new(choice.span, block.origin().name)),
    })
}
