//! Secrets that pods mount: those of their own namespace only.

use lang_diagnostics::{Applicability, Diagnostic, Edit, Fix, Sink, Spanned};

use crate::codes;

/// The name of a Secret. One of another namespace is reported: elsewhere a `Gateway` may refer to it, since a controller
/// reads it and hands it on, and here the kubelet mounts it.
pub(super) fn at_hand(secret: Spanned<String>, sink: &mut Sink) -> Spanned<String> {
    let Some((namespace, name)) = secret.value.split_once('/') else { return secret };
    let message = format!("the Secret `{name}` is in another namespace, `{namespace}`");
    sink.push(
        Diagnostic::error(codes::SECRET_ELSEWHERE, secret.span, message)
            .label("pods mount Secrets of their own namespace only")
            .help(
                "have it written or copied to the namespace of the pods: by a `Certificate` of cert-manager there, by External \
                 Secrets or a replicator, or by hand; for a gateway that is the mesh's, `namespace` of `mesh`",
            )
            .fix(Fix {
                title: format!("write `\"{name}\"`, for the Secret of that name there"),
                applicability: Applicability::Suggested,
                edits: vec![Edit { span: secret.span, text: format!("\"{name}\"") }],
            }),
    );
    Spanned::new(name.to_owned(), secret.span)
}
