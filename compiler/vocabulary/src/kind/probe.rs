//! `probe`: a health check of the application that the sidecar answers for.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink};
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Type};
use lang_evaluate::{Block, FromValue, Value};

use crate::codes;
use crate::forms;
use crate::model::{Probe, ProbeKind};
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// The kinds of a probe, as Kubernetes has them.
    KINDS: ProbeKind {
        "liveness" => ProbeKind::Liveness, "the application is restarted when it fails";
        "readiness" => ProbeKind::Readiness, "the pod gets no traffic while it fails";
        "startup" => ProbeKind::Startup, "the pod is starting until it passes";
    }
}

pub(crate) static KIND: Kind = Kind {
    word: "probe",
    documentation: "A probe of the pod, an `httpGet` one there, that the sidecar answers in the application's place, by asking it on loopback.",
    label: Label::Symbol(KINDS),
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::required(words::PATH, Type::Text(&forms::PATH), "Path at the application."),
        Attribute::required(words::PORT, Type::PORT, "Port of the application."),
        Attribute::defaulted(
            words::TIMEOUT,
            Type::Duration,
            Constant::Milliseconds(1000),
            "How long the application may take.",
        ),
    ],
    blocks: &[],
};

/// The probes of a service, one of each kind at most.
pub(crate) fn convert(block: &Block, sink: &mut Sink) -> Option<Vec<Probe>> {
    let mut probes: Vec<Probe> = Vec::new();
    for probe in block.blocks(&KIND) {
        let word = KINDS.iter().find(|symbol| symbol.word == probe.name())?.word;
        let kind = ProbeKind::from_value(&Value::Symbol(word))?;
        if let Some(first) = probes.iter().find(|other| other.kind == kind) {
            sink.push(
                Diagnostic::error(codes::REPEATED, probe.name_span(), format!("there are two {word} probes"))
                    .label("the second one")
                    .also(first.origin.span, "the first one")
                    .help("keep one of them; a pod has one probe of each kind"),
            );
            continue;
        }
        probes.push(Probe {
            origin: probe.origin(),
            kind,
            path: probe.get::<String>(words::PATH)?.value,
            port: probe.get::<u16>(words::PORT)?.value,
            timeout: probe.get::<Duration>(words::TIMEOUT)?.value,
        });
    }
    Some(probes)
}
