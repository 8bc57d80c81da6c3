//! The standard library's defaults, read by the same schema as every other policy.

use lang_diagnostics::{Sink, SourceMap};

use crate::kind::STANDARD_LIBRARY;
use crate::model::policy::Defaults;
use crate::policy;

/// What messages call the file.
const NAME: &str = "std/defaults.mesh";

/// The table of defaults. It is part of the compiler, so that a test and not the user learns of a mistake in it.
pub(crate) fn defaults(sources: &mut SourceMap, sink: &mut Sink) -> Option<Defaults> {
    let id = sources.add(NAME, meshc_stdlib::DEFAULTS);
    let file = lang_syntax::parse(id, meshc_stdlib::DEFAULTS, sink);
    let declarations = lang_evaluate::evaluate(&[file], STANDARD_LIBRARY, sink)?;
    policy::defaults(declarations.blocks.first()?)
}
