//! What the language has room for and a data plane does not enforce, as data. One table feeds the check of a mesh and the
//! generated reference, so that nothing looks ordinary there and is refused here.

use lang_evaluate::schema::{Kind, Name};

use crate::kind::{cluster, gateway, gateway_pods, metrics, port, probe, trust, workload};
use crate::model::DataPlane;
use crate::words;

/// What a mesh may ask for and does not get everywhere. What every data plane does has no place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Ports that the sidecar stays out of (`mtls = off`).
    PlainPorts,
    /// Certificates that cert-manager signs.
    CertManager,
}

impl Feature {
    /// Whether a data plane enforces it. Today the two differ in nothing.
    #[must_use]
    pub const fn supported_by(self, data_plane: DataPlane) -> bool {
        match (self, data_plane) {
            (Self::PlainPorts | Self::CertManager, DataPlane::Envoy | DataPlane::Meshd) => false,
        }
    }

    /// Whether any data plane enforces it. If none does, it is meshc that has to learn it.
    #[must_use]
    pub const fn supported(self) -> bool {
        self.supported_by(DataPlane::Envoy) || self.supported_by(DataPlane::Meshd)
    }
}

/// Where a feature is written.
struct Written {
    feature: Feature,
    kind: &'static Kind,
    /// The attribute; the whole block without one.
    attribute: Option<Name>,
    /// The words that ask for it; any value without them.
    values: &'static [&'static str],
}

static WRITTEN: &[Written] = &[
    Written {
        feature: Feature::PlainPorts,
        kind: &port::KIND,
        attribute: Some(words::MTLS),
        values: &["off"],
    },
    Written {
        feature: Feature::CertManager,
        kind: &trust::KIND,
        attribute: Some(words::ISSUER),
        values: &[trust::CERT_MANAGER],
    },
];

/// What acts on a block or an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// Each data plane for which this is true.
    Proxies {
        /// Envoy.
        envoy: bool,
        /// meshd.
        meshd: bool,
    },
    /// Kubernetes: it is in manifests only, and traffic is the same without it.
    Kubernetes,
}

/// What is in manifests only: these attributes of a kind, or the whole kind without any. A test compares it with the list
/// of words that no story of both data planes can show (`tests/suite/behaviours/elsewhere.rs`).
static IN_MANIFESTS: &[(&Kind, &[Name])] = &[
    (&cluster::KIND, &[words::KUBERNETES, words::NETWORK_POLICY, words::STATE]),
    (&gateway::KIND, &[words::ANNOTATIONS, words::LABELS, words::REPLICAS]),
    (&gateway::PORT, &[words::NODE_PORT]),
    (&gateway_pods::SERVICE, &[]),
    (&gateway_pods::RESOURCES, &[]),
    (&gateway_pods::AUTOSCALE, &[]),
    (&workload::KIND, &[]),
    (&probe::KIND, &[]),
    (&metrics::KIND, &[]),
];

/// What acts on a block, or on an attribute of it, whatever its value.
#[must_use]
pub fn actor(kind: &Kind, attribute: Option<&str>) -> Actor {
    let of_kind = |listed: &Kind| std::ptr::eq(listed, kind);
    let in_manifests = IN_MANIFESTS.iter().any(|(listed, attributes)| {
        of_kind(listed)
            && (attributes.is_empty() || attributes.iter().any(|name| Some(name.text()) == attribute))
    });
    if in_manifests {
        return Actor::Kubernetes;
    }
    let asks = |written: &&Written| {
        let whole = written.attribute.is_none() || written.attribute.map(Name::text) == attribute;
        of_kind(written.kind) && whole && written.values.is_empty()
    };
    let feature = WRITTEN.iter().find(asks).map(|written| written.feature);
    let supported = |data_plane| feature.is_none_or(|feature| feature.supported_by(data_plane));
    Actor::Proxies { envoy: supported(DataPlane::Envoy), meshd: supported(DataPlane::Meshd) }
}

/// What the reference adds to a block, an attribute or a word that no data plane enforces.
const NOTE: &str = " (not yet)";

/// The note of the reference; empty for what is supported.
#[must_use]
pub fn note(kind: &Kind, attribute: Option<&str>, value: Option<&str>) -> &'static str {
    let asks = |written: &&Written| {
        let value_fits = match value {
            Some(value) => written.values.contains(&value),
            None => written.values.is_empty(),
        };
        std::ptr::eq(written.kind, kind) && written.attribute.map(Name::text) == attribute && value_fits
    };
    match WRITTEN.iter().find(asks) {
        Some(written) if !written.feature.supported() => NOTE,
        Some(_) | None => "",
    }
}

#[cfg(test)]
mod tests {
    use lang_evaluate::schema::Type;

    use super::*;

    #[test]
    fn whatever_is_not_supported_is_in_the_schema_and_marked() {
        for Written { feature, kind, attribute, values } in WRITTEN {
            let Some(name) = attribute else {
                assert_eq!(note(kind, None, None), NOTE, "{feature:?}");
                continue;
            };
            let attribute = kind.attribute(name.text()).unwrap();
            for value in *values {
                let words: Vec<&str> = if let Type::Symbol(symbols) = &attribute.ty {
                    symbols.iter().map(|symbol| symbol.word).collect()
                } else if let Type::Tagged(tags) = &attribute.ty {
                    tags.iter().map(|tag| tag.word).collect()
                } else {
                    panic!("{feature:?}: {:?}", attribute.ty)
                };
                let known = words.contains(value);
                assert!(known, "{feature:?}: `{value}`");
                assert_eq!(note(kind, Some(name.text()), Some(value)), NOTE, "{feature:?}");
            }
            assert_eq!(note(kind, Some(name.text()), Some("strict")), "");
        }
    }
}
