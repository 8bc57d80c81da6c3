//! `mesh`: what holds for the whole mesh.

use lang_diagnostics::Spanned;
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Reference, Type};
use lang_evaluate::{Block, Target};

use crate::build::Ids;
use crate::forms;
use crate::model::{CaptureChoice, DataPlane, Mesh};
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// The data planes.
    DATA_PLANES: DataPlane {
        "envoy" => DataPlane::Envoy, "Envoy 1.40";
        "meshd" => DataPlane::Meshd, "the bundled proxy";
    }
}

symbols! {
    /// How outbound connections reach the sidecar.
    CAPTURES: CaptureChoice {
        "auto" => CaptureChoice::Auto,
            "`loopback` where the kernel allows it; `redirect` for a service whose pods listen on a port that they call elsewhere, and in clusters with `ip_family = ipv6`";
        "loopback" => CaptureChoice::Loopback,
            "virtual addresses in 127.64.0.0/10, on which the sidecar listens; needs no privileges. In pods that have IPv6 addresses alone, programs that look up addresses of the pod's family only (Node.js, glibc's `AI_ADDRCONFIG`) do not find them";
        "redirect" => CaptureChoice::Redirect,
            "virtual addresses in 240.240.0.0/16, or in 100::/64 in clusters with `ip_family = ipv6`, redirected by an init container with NET_ADMIN; works with any ports";
    }
}

/// `max_amplification`, as the mesh and services have it.
pub(crate) const MAX_AMPLIFICATION: Attribute = Attribute::optional(
    words::MAX_AMPLIFICATION,
    Type::Integer(1, 1_000_000),
    "How often one request may arrive at a service at most, when every hop of a chain of calls sends it again as often as its \
     `retry` lets it: the product of the tries along the worst chain. More is an error (`E0831`); `meshc prove amplification` \
     shows each chain. Of the mesh it is for each service that has none of its own.",
);

/// The value of it.
pub(crate) fn max_amplification(block: &Block) -> Option<Spanned<u32>> {
    block.get::<u32>(words::MAX_AMPLIFICATION)
}

pub(crate) static KIND: Kind = Kind {
    word: "mesh",
    documentation: "The mesh itself. There is exactly one.",
    label: Label::Required(&forms::NAME),
    space: Some("mesh"),
    reopen: false,
    principal: Some(words::TRUST_DOMAIN),
    relations: &[],
    attributes: &[
        Attribute::required(
            words::TRUST_DOMAIN,
            Type::Text(&forms::TRUST_DOMAIN),
            "The SPIFFE trust domain of all identities, unless a cluster has its own.",
        ),
        Attribute::derived(
            words::TRUST,
            Type::Reference(&Reference::to(&[words::kind::TRUST])),
            "the `trust` of the mesh, or `builtin` certificates where there is none",
            "How identities are proved.",
        ),
        Attribute::defaulted(
            words::DATA_PLANE,
            Type::Symbol(DATA_PLANES),
            Constant::Symbol("envoy"),
            "Which proxy carries the traffic, unless a cluster declares another one.",
        ),
        Attribute::defaulted(
            words::NAMESPACE,
            Type::Text(&forms::DNS_LABEL),
            Constant::Text("mesh-system"),
            "The Kubernetes namespace of gateways, trust bundle and rate-limit service.",
        ),
        Attribute::defaulted(
            words::CAPTURE,
            Type::Symbol(CAPTURES),
            Constant::Symbol("auto"),
            "How an application's outbound connections reach its sidecar, unless a service declares another way.",
        ),
        Attribute::optional(
            words::RATE_LIMITS,
            Type::Reference(&Reference::to(&[words::kind::CLUSTER])),
            "The cluster whose rate-limit service counts for the whole mesh, for limits with `scope = mesh`. It becomes a \
             service of the mesh, `rate-limit` in the mesh's namespace, with a sidecar of its own: proxies ask it over mTLS, \
             those of other clusters through east-west gateways as they call any service, and only proxies with such a \
             limit may. Each request that is counted waits for a round trip to that cluster, within the limit's `timeout`; \
             while the cluster cannot be reached, `on_error` says what happens. No policy applies to it.",
        ),
        MAX_AMPLIFICATION,
    ],
    blocks: &[],
};

pub(crate) fn convert(block: &Block, ids: &Ids) -> Option<Mesh> {
    Some(Mesh {
        origin: block.origin(),
        name: block.name().to_owned(),
        trust_domain: block.get::<String>(words::TRUST_DOMAIN)?.value,
        data_plane: block.get::<DataPlane>(words::DATA_PLANE)?.value,
        namespace: block.get::<String>(words::NAMESPACE)?.value,
        capture: block.get::<CaptureChoice>(words::CAPTURE)?.value,
        max_amplification: max_amplification(block),
        rate_limits: match block.get::<Target>(words::RATE_LIMITS) {
            Some(target) => Some(Spanned::new(*ids.clusters.get(&target.value.entity)?, target.span)),
            None => None,
        },
    })
}
