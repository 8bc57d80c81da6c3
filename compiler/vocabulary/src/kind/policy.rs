//! `policy`: settings, and what they attach to.

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Kind, Label, Reference, Type};
use lang_evaluate::{Block, Target};

use crate::codes;
use crate::forms;
use crate::model::{Gateway, Id, Namespace, Policy, PolicyScope};
use crate::policy::{self, Context, SETTINGS};
use crate::words;

pub(crate) static KIND: Kind = Kind {
    word: "policy",
    documentation: "Settings for what it attaches to: the `targets`, `routes` and `gateways` that it names; else the \
                    namespace it stands in; else the mesh. For each kind of setting the nearest policy wins as a whole.",
    label: Label::Required(&forms::NAME),
    space: Some("policy"),
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::optional(
            words::TARGETS,
            Type::some(&Type::Reference(&Reference {
                kinds: &[words::kind::SERVICE, words::kind::SUBSET],
                part: None,
                inner: &[],
                refused: &[
                    (words::kind::ROUTE, "routes are named in `routes = […]`"),
                    (words::kind::CLIENT, "a client is not called, so no policy applies to it"),
                    (
                        words::kind::NAMESPACE,
                        "a policy in a namespace that has no targets attaches to the namespace",
                    ),
                ],
            })),
            "The services that it attaches to, or subsets of them (`reviews.v2`). A subset has what its service has, unless a \
             policy names the subset.",
        ),
        Attribute::optional(
            words::ROUTES,
            Type::some(&Type::Reference(&Reference {
                kinds: &[words::kind::ROUTE],
                part: None,
                inner: &[],
                refused: &[(words::kind::SERVICE, "services are named in `targets = […]`")],
            })),
            "The routes that it attaches to; `retry` and `timeout` have a meaning there, and at gateways `rate_limit`, and `allow` and `deny` for clients.",
        ),
        Attribute::optional(
            words::GATEWAYS,
            Type::some(&Type::Reference(&Reference {
                kinds: &[words::kind::GATEWAY],
                part: None,
                inner: &[],
                refused: &[
                    (words::kind::SERVICE, "services are named in `targets = […]`"),
                    (words::kind::ROUTE, "routes are named in `routes = […]`"),
                    (words::kind::CLUSTER, "write the gateway's name behind it: `<cluster>.<gateway>`"),
                ],
            })),
            "The ingress gateways that it attaches to; `rate_limit` has a meaning there, and `allow` and `deny` for clients.",
        ),
    ],
    blocks: SETTINGS,
};

pub(crate) fn convert(
    block: &Block,
    namespace: Option<Id<Namespace>>,
    context: Context<'_>,
    sink: &mut Sink,
) -> Option<Policy> {
    if SETTINGS.iter().all(|setting| block.block(setting.kind).is_none()) {
        sink.push(
            Diagnostic::error(
                codes::POLICY_WITHOUT_SETTINGS,
                block.name_span(),
                format!("{} is empty", block.origin().name),
            )
            .label("no settings")
            .help("put its settings between its braces, or remove it"),
        );
    }
    Some(Policy {
        origin: block.origin(),
        name: block.name().to_owned(),
        namespace,
        scope: scope(block, namespace, context, sink)?,
        settings: policy::convert(block, context, sink)?,
    })
}

fn scope(
    block: &Block,
    namespace: Option<Id<Namespace>>,
    Context { ids, gateways: declared, defaults: _ }: Context<'_>,
    sink: &mut Sink,
) -> Option<PolicyScope> {
    let targets = block.get::<Vec<Spanned<Target>>>(words::TARGETS);
    let routes = block.get::<Vec<Spanned<Target>>>(words::ROUTES);
    let gateways = block.get::<Vec<Spanned<Target>>>(words::GATEWAYS);
    if targets.is_none() && routes.is_none() && gateways.is_none() {
        return Some(namespace.map_or(PolicyScope::Mesh, PolicyScope::Namespace));
    }
    let targets = targets.map(|list| list.value).unwrap_or_default();
    let routes = routes.map(|list| list.value).unwrap_or_default();
    super::report_repeated(&targets, sink);
    let gateways = gateways.map(|list| list.value).unwrap_or_default();
    super::report_repeated(&routes, sink);
    super::report_repeated(&gateways, sink);
    let services = targets
        .into_iter()
        .map(|target| Some(Spanned::new(*ids.services.get(&target.value.entity)?, target.span)))
        .collect::<Option<_>>()?;
    let routes = routes
        .into_iter()
        .map(|target| Some(Spanned::new(*ids.routes.get(&target.value.entity)?, target.span)))
        .collect::<Option<_>>()?;
    let gateways: Vec<Spanned<Id<Gateway>>> = gateways
        .into_iter()
        .map(|target| Some(Spanned::new(*ids.gateways.get(&target.value.entity)?, target.span)))
        .collect::<Option<_>>()?;
    for named in &gateways {
        super::report_no_ingress(declared.at(named.value), named.span, sink);
    }
    Some(PolicyScope::Targets { services, routes, gateways })
}
