//! `client`: what calls and offers nothing. It is converted like a service without ports.

use lang_evaluate::schema::{Count, Kind, Label, Nested};

use super::{call, metrics, presence, probe, service, workload};
use crate::forms;
use crate::words;

pub(crate) static KIND: Kind = Kind {
    word: words::kind::CLIENT,
    documentation: "Something that calls others and is not called, such as a Job or a CronJob.",
    label: Label::Required(&forms::NAME),
    space: Some("callee"),
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[presence::CLUSTERS, service::CALLS, service::ACCOUNT, service::CAPTURE],
    blocks: &[
        Nested { kind: &call::KIND, count: Count::Many },
        Nested { kind: &presence::KIND, count: Count::Many },
        Nested { kind: &workload::KIND, count: Count::Many },
        Nested { kind: &probe::KIND, count: Count::Many },
        Nested { kind: &metrics::KIND, count: Count::Optional },
    ],
};
