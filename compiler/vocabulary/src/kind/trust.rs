//! `trust`: who makes certificates, and how long they live.

use std::time::Duration;

use lang_diagnostics::Spanned;
use lang_evaluate::schema::{Attribute, Constant, Count, Kind, Label, Nested, Tag, Type};
use lang_evaluate::{Block, FromValue, Value};

use crate::forms;
use crate::model::{Issuer, IssuerFiles, Trust};
use crate::words;

/// A day in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// How long certificates are valid, in milliseconds.
const ROOT_LIFETIME: u64 = 3650 * DAY;
const INTERMEDIATE_LIFETIME: u64 = 365 * DAY;
const WORKLOAD_LIFETIME: u64 = 90 * DAY;

const BUILTIN: &str = "builtin";
const FILES: &str = "files";
pub(crate) const CERT_MANAGER: &str = "cert_manager";

const ISSUERS: &[Tag] = &[
    Tag {
        word: BUILTIN,
        documentation: "meshc makes root, intermediates and workload certificates",
        attributes: &[],
    },
    Tag {
        word: FILES,
        documentation: "the user brings an intermediate for each cluster; meshc verifies and uses them",
        attributes: &[Attribute::required(
            words::DIRECTORY,
            Type::Text(&forms::NON_EMPTY),
            "A directory with `roots.pem` and, for each cluster, `<cluster>/cert.pem`, `key.pem` and `chain.pem`, \
             relative to the entry file.",
        )],
    },
    Tag {
        word: CERT_MANAGER,
        documentation: "meshc makes root and intermediates, cert-manager signs and renews workload certificates",
        attributes: &[],
    },
];

static ROOT: Kind = Kind {
    word: "root",
    documentation: "The root certificate of the mesh.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::LIFETIME),
    relations: &[],
    attributes: &[
        Attribute::derived(
            words::COMMON_NAME,
            Type::Text(&forms::NON_EMPTY),
            "`<name of the trust> root`",
            "The common name of the root certificate.",
        ),
        Attribute::defaulted(
            words::LIFETIME,
            Type::Duration,
            Constant::Milliseconds(ROOT_LIFETIME),
            "How long the root certificate is valid.",
        ),
    ],
    blocks: &[],
};

static INTERMEDIATE: Kind = Kind {
    word: "intermediate",
    documentation: "The intermediate certificates, one for each cluster, with path length 0.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::LIFETIME),
    relations: &[],
    attributes: &[Attribute::defaulted(
        words::LIFETIME,
        Type::Duration,
        Constant::Milliseconds(INTERMEDIATE_LIFETIME),
        "How long an intermediate certificate is valid.",
    )],
    blocks: &[],
};

static WORKLOAD: Kind = Kind {
    word: "workload",
    documentation: "The certificates of services, clients and ingress gateways. In a handshake both data planes check that \
                    the chain leads to a root and is valid now, that nothing in it is revoked by path lengths, extended key \
                    usages or key usages (an issuer that has a key usage needs keyCertSign, a workload that has one needs \
                    digitalSignature), that the workload's key is on the curve P-256 or P-384 or RSA, and that one of its \
                    URIs is the identity that is expected. meshd also refuses what Envoy cannot: a workload with more than \
                    one URI, one that is an authority or may sign certificates, a workload or an issuer without a key \
                    usage, RSA keys below 2048 bits, critical extensions other than basic constraints, key usages, names, \
                    name constraints and distribution points, and name constraints on subjects or URIs. `meshc trust` \
                    makes and accepts only what both accept.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::LIFETIME),
    relations: &[],
    attributes: &[Attribute::defaulted(
        words::LIFETIME,
        Type::Duration,
        Constant::Milliseconds(WORKLOAD_LIFETIME),
        "How long a workload certificate is valid.",
    )],
    blocks: &[],
};

pub(crate) static KIND: Kind = Kind {
    word: words::kind::TRUST,
    documentation: "How identities are proved: a root, one intermediate for each cluster, and workload certificates. A mesh \
                    without such a block has `builtin` certificates with these defaults, from a root that is named after the \
                    mesh, such as `shop root`. A block of another name that is added later gives the next root its own name; \
                    an existing root is kept.",
    label: Label::Required(&forms::NAME),
    space: Some("trust"),
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[Attribute::defaulted(
        words::ISSUER,
        Type::Tagged(ISSUERS),
        Constant::Symbol(BUILTIN),
        "Who makes the certificates.",
    )],
    blocks: &[
        Nested { kind: &ROOT, count: Count::Defaulted },
        Nested { kind: &INTERMEDIATE, count: Count::Defaulted },
        Nested { kind: &WORKLOAD, count: Count::Defaulted },
    ],
};

impl FromValue for Issuer {
    fn from_value(value: &Value) -> Option<Self> {
        let (word, record): (&str, &[_]) = if let Value::Tagged(word, record) = value {
            (word, record)
        } else {
            let Value::Symbol(word) = value else { return None };
            (word, &[])
        };
        match word {
            BUILTIN => Some(Self::Builtin),
            CERT_MANAGER => Some(Self::CertManager),
            FILES => {
                let (_, directory) = record.iter().find(|(name, _)| name.value == words::DIRECTORY.text())?;
                let text = String::from_value(&directory.value)?;
                Some(Self::Files(IssuerFiles { directory: Spanned::new(text, directory.span) }))
            }
            _ => None,
        }
    }
}

/// What a mesh without the block has.
pub(crate) fn without(mesh: &Block) -> Trust {
    let lifetime = |milliseconds| Spanned::new(Duration::from_millis(milliseconds), mesh.name_span());
    Trust {
        origin: mesh.origin(),
        name: mesh.name().to_owned(),
        issuer: Issuer::Builtin,
        root_common_name: format!("{} root", mesh.name()),
        root_lifetime: lifetime(ROOT_LIFETIME),
        intermediate_lifetime: lifetime(INTERMEDIATE_LIFETIME),
        workload_lifetime: lifetime(WORKLOAD_LIFETIME),
    }
}

pub(crate) fn convert(block: &Block) -> Option<Trust> {
    let root = block.block(&ROOT)?;
    let lifetime = |kind: &Kind| block.block(kind)?.get::<Duration>(words::LIFETIME);
    let common_name = root.get::<String>(words::COMMON_NAME).map(|name| name.value);
    Some(Trust {
        origin: block.origin(),
        name: block.name().to_owned(),
        issuer: block.get::<Issuer>(words::ISSUER)?.value,
        root_common_name: common_name.unwrap_or_else(|| format!("{} root", block.name())),
        root_lifetime: lifetime(&ROOT)?,
        intermediate_lifetime: lifetime(&INTERMEDIATE)?,
        workload_lifetime: lifetime(&WORKLOAD)?,
    })
}
