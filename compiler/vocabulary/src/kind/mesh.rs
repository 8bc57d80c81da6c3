//! `mesh`: what holds for the whole mesh.

use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Reference, Type};

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

pub(crate) static KIND: Kind = Kind {
    word: "mesh",
    documentation: "The mesh itself. There is exactly one.",
    label: Label::Required(&forms::NAME),
    space: Some("mesh"),
    reopen: false,
    attributes: &[
        Attribute::required(
            words::TRUST_DOMAIN,
            Type::Text(&forms::TRUST_DOMAIN),
            "The SPIFFE trust domain of all identities, unless a cluster has its own.",
        ),
        Attribute::required(
            words::TRUST,
            Type::Reference(&Reference::to(&[words::kind::TRUST])),
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
    ],
    blocks: &[],
};

pub(crate) fn convert(block: &Block) -> Option<Mesh> {
    Some(Mesh {
        origin: block.origin(),
        name: block.name().to_owned(),
        trust_domain: block.get::<String>(words::TRUST_DOMAIN)?.value,
        data_plane: block.get::<DataPlane>(words::DATA_PLANE)?.value,
        namespace: block.get::<String>(words::NAMESPACE)?.value,
        capture: block.get::<CaptureChoice>(words::CAPTURE)?.value,
    })
}
