//! `rule`: one of the ordered rules of a route.

use lang_diagnostics::{Diagnostic, Origin, Sink};
use lang_evaluate::schema::{Attribute, Constant, Count, Kind, Label, Nested, Part, Relation, Rule, Type};
use lang_evaluate::{Block, Target};

use super::service::{DESTINATION as TARGET, callee};
use super::wildcard::Purpose;
use super::{answer, call, cors, fault, filter, http_match, rewrite, upgrade};
use crate::build::Ids;
use crate::codes;
use crate::model::answer::RuleAction;
use crate::model::policy::Bound;
use crate::model::{DeadShare, Destination, HttpMatch, RouteRule};
use crate::policy::retry;
use crate::policy::timeout::BOUND;
use crate::symbols::symbols;
use crate::words;

/// `to`, as routes and rules have it.
pub(crate) const TO: Attribute = Attribute::optional(
    words::TO,
    Type::Reference(&TARGET),
    "Where the requests go: a service or an external host, one port of it (`catalog.http`), or a subset of a service \
     (`reviews.v2`, `reviews.v2.http`). Instead of it there may be `destination` blocks, a \
     `redirect` or a `respond`.",
);

/// `timeout`, as routes and rules have it.
pub(crate) const TIMEOUT: Attribute = Attribute::derived(
    words::TIMEOUT,
    BOUND,
    "that of the policies",
    "How long a request may take; `none` is as long as it likes.",
);

symbols! {
    /// Whether destinations stand in for each other.
    FAILOVERS: DeadShare {
        "none" => DeadShare::Kept, "each has its share, dead or alive: an answer is what the version that was drawn gives";
        "destinations" => DeadShare::ToOthers,
            "one whose every locality is dead gives its share to the others, to each as much as it weighs";
    }
}

/// `failover`, as routes and rules have it.
pub(crate) const FAILOVER: Attribute = Attribute::derived(
    words::FAILOVER,
    Type::Symbol(FAILOVERS),
    "`none`",
    "What becomes of the share of a destination of which no endpoint is left: all are ejected or gone, in every cluster. One \
     that is partly dead keeps its whole share, and its own localities take over first. A request that was sent to one \
     destination is not sent again to another, except by Envoy where its retries have tried every locality of the first.",
);

/// How many destinations may stand in for each other: Envoy needs a list of clusters for each order of them.
const MOST_FAILING_OVER: usize = 4;

pub(crate) static DESTINATION: Kind = Kind {
    word: "destination",
    documentation: "One of several destinations, in proportion to their weights.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::TO),
    relations: &[],
    attributes: &[
        Attribute::required(words::TO, Type::Reference(&TARGET), "Where this share of the requests goes."),
        Attribute::defaulted(
            words::WEIGHT,
            Type::Integer(0, 1_000_000),
            Constant::Integer(1),
            "Its relative weight. With 0 it gets no requests and stays configured.",
        ),
    ],
    blocks: &[],
};

pub(crate) static KIND: Kind = Kind {
    word: "rule",
    documentation: "One of the route's rules. They are tried in the order of the text; the first that matches wins.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[
        ONE_ACTION,
        answer::answered_by(Part::Attribute(words::REDIRECT)),
        answer::answered_by(Part::Block(answer::REDIRECT.word)),
        answer::answered_by(Part::Block(answer::RESPOND.word)),
    ],
    attributes: &[TO, answer::TO_HTTPS, FAILOVER, TIMEOUT, upgrade::UPGRADE, call::CRITICAL],
    blocks: &BLOCKS,
};

/// The blocks of a rule.
const BLOCKS: [Nested; 11] = [
    Nested { kind: &http_match::KIND, count: Count::Many },
    Nested { kind: &DESTINATION, count: Count::Many },
    Nested { kind: &answer::REDIRECT, count: Count::Optional },
    Nested { kind: &answer::RESPOND, count: Count::Optional },
    Nested { kind: &retry::KIND, count: Count::Optional },
    Nested { kind: &filter::REQUEST_HEADERS, count: Count::Optional },
    Nested { kind: &filter::RESPONSE_HEADERS, count: Count::Optional },
    Nested { kind: &rewrite::KIND, count: Count::Optional },
    Nested { kind: &cors::KIND, count: Count::Optional },
    Nested { kind: &fault::KIND, count: Count::Optional },
    Nested { kind: &filter::MIRROR, count: Count::Many },
];

/// The blocks of a route: those of a rule, which it is itself where it has none, and rules.
pub(crate) static WITH_RULES: [Nested; BLOCKS.len() + 1] = {
    let [matches, destination, redirect, respond, retry, request, response, rewrite, cors, fault, mirror] =
        BLOCKS;
    let rules = Nested { kind: &KIND, count: Count::Many };
    [matches, destination, redirect, respond, rules, retry, request, response, rewrite, cors, fault, mirror]
};

/// What says what becomes of requests.
pub(super) const ACTIONS: &[Part] = &[
    Part::Attribute(words::TO),
    Part::Block(DESTINATION.word),
    Part::Attribute(words::REDIRECT),
    Part::Block(answer::REDIRECT.word),
    Part::Block(answer::RESPOND.word),
];

/// A rule does one thing with requests.
pub(super) const ONE_ACTION: Relation = Relation {
    rule: Rule::AtMostOne(ACTIONS),
    code: codes::EXCLUSIVE,
    reason: "one thing becomes of a request",
    help: "keep one of them",
};

/// What a route with rules leaves to these.
pub(super) const fn beside_rules(parts: &'static [Part]) -> Relation {
    Relation {
        rule: Rule::Excludes(Part::Block(KIND.word), parts),
        code: codes::EXCLUSIVE,
        reason: "the rules say what becomes of requests",
        help: "write it in a `rule`",
    }
}

/// What becomes of the requests of a rule, or of a route that is its own only rule: one thing, or a report.
fn action(block: &Block, matches: &[HttpMatch], ids: &Ids, sink: &mut Sink) -> Option<RuleAction> {
    let answered = if let Some(redirect) = block.block(&answer::REDIRECT) {
        RuleAction::Redirect(answer::redirect(redirect, matches, sink)?)
    } else if let Some(span) = block.written(words::REDIRECT) {
        RuleAction::Redirect(answer::to_https(block, span))
    } else if let Some(respond) = block.block(&answer::RESPOND) {
        RuleAction::Respond(answer::respond(respond, sink)?)
    } else {
        return destinations(block, ids, sink).map(RuleAction::Forward);
    };
    Some(answered)
}

/// The destinations of a rule; at least one, or a report.
fn destinations(block: &Block, ids: &Ids, sink: &mut Sink) -> Option<Vec<Destination>> {
    let mut destinations = Vec::new();
    if let Some(to) = block.get::<Target>(words::TO) {
        destinations.push(Destination {
            origin: Origin::new(to.span, block.origin().name),
            callee: callee(&to.value, ids)?,
            port: to.value.part,
            weight: 1,
        });
        return Some(destinations);
    }
    for share in block.blocks(&DESTINATION) {
        let to = share.get::<Target>(words::TO)?;
        destinations.push(Destination {
            origin: Origin::new(to.span, block.origin().name),
            callee: callee(&to.value, ids)?,
            port: to.value.part,
            weight: share.get::<u32>(words::WEIGHT)?.value,
        });
    }
    if !destinations.is_empty() && destinations.iter().all(|destination| destination.weight == 0) {
        let mut report = Diagnostic::error(
            codes::NO_WEIGHT,
            block.name_span(),
            format!("all destinations of {} have the weight 0", block.origin().name),
        )
        .label("its requests go nowhere");
        for destination in &destinations {
            report = report.also(destination.origin.span, "gets no requests");
        }
        sink.push(report.help("give one of them a weight, such as `weight = 1`"));
    }
    if destinations.is_empty() {
        sink.push(
            Diagnostic::error(
                codes::NO_DESTINATION,
                block.name_span(),
                format!("{} leads nowhere", block.origin().name),
            )
            .label("no destination")
            .help(
                "add `to = service`, `destination { to = service, weight = … }` for each of several, `redirect` or `respond`",
            ),
        );
    }
    Some(destinations)
}

/// A rule. What it leaves out comes from the route around it.
pub(crate) fn convert(block: &Block, route: &Block, ids: &Ids, sink: &mut Sink) -> Option<RouteRule> {
    retry::check(block, sink);
    upgrade::check(block, sink);
    let matches = http_match::convert(block, Purpose::Routing, sink)?;
    let action = action(block, &matches, ids, sink)?;
    let forwards = match &action {
        RuleAction::Forward(_) => true,
        RuleAction::Redirect(_) | RuleAction::Respond(_) => false,
    };
    let filters = filter::convert((block, route), (&matches, forwards), ids, sink)?;
    if !forwards {
        return Some(RouteRule {
            origin: block.origin(),
            matches,
            action,
            dead_share: DeadShare::Kept,
            filters,
            timeout: None,
            retry: None,
            critical: None,
            upgrade: None,
        });
    }
    let timeout = block.get::<Bound>(words::TIMEOUT).or_else(|| route.get::<Bound>(words::TIMEOUT));
    let retry = match block.block(&retry::KIND).or_else(|| route.block(&retry::KIND)) {
        Some(retry) => Some(retry::convert(retry)?),
        None => None,
    };
    let upgrade = [block, route].iter().find_map(|block| upgrade::of(block));
    Some(RouteRule {
        origin: block.origin(),
        matches,
        dead_share: dead_share(block, route, action.destinations(), sink),
        action,
        filters,
        timeout: timeout.map(|timeout| timeout.value),
        retry,
        critical: call::critical(block).or_else(|| call::critical(route)),
        upgrade,
    })
}

/// What a rule says of dead destinations, else its route. Reported where there is nothing to say it of.
fn dead_share(block: &Block, route: &Block, to: &[Destination], sink: &mut Sink) -> DeadShare {
    let own = block.get::<DeadShare>(words::FAILOVER);
    let said = own.or_else(|| route.get::<DeadShare>(words::FAILOVER));
    let Some(said) = said.filter(|said| said.value == DeadShare::ToOthers) else { return DeadShare::Kept };
    let weighed = to.iter().filter(|destination| destination.weight > 0).count();
    if own.is_some() && weighed < 2 {
        sink.push(
            Diagnostic::error(
                codes::FAILOVER_OF_DESTINATIONS,
                said.span,
                format!("{} has no second destination with a weight", block.origin().name),
            )
            .label("nothing could take over")
            .help("give another `destination` a weight, or leave `failover` out"),
        );
    }
    if weighed > MOST_FAILING_OVER {
        let message = format!("{weighed} destinations cannot stand in for each other");
        sink.push(
            Diagnostic::error(codes::FAILOVER_OF_DESTINATIONS, said.span, message)
                .label(format!("at most {MOST_FAILING_OVER}"))
                .also(block.name_span(), "this has more")
                .help("use fewer destinations, or leave `failover` out"),
        );
    }
    said.value
}
