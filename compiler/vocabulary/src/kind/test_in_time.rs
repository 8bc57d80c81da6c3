//! `in_time` in a `test`: a bound that every request of some calls has.

use std::time::Duration;

use lang_diagnostics::{Sink, Spanned};
use lang_evaluate::schema::{Attribute, Kind, Label, Type};
use lang_evaluate::{Block, Value};

use super::test::CALLS;
use super::test_call;
use crate::build::Ids;
use crate::model::Model;
use crate::testing::CallTest;
use crate::words;

// Not `timeout`: what `defaults` has for that is about policies.
pub(crate) static KIND: Kind = Kind {
    word: "in_time",
    documentation: "Calls of which every request ends in time. The exact time of one request is `timeout` in a `call`.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::required(
            words::MOST,
            Type::Duration,
            "How long a request may take at most, all attempts together. A call without a timeout takes longer.",
        ),
        Attribute::required(words::CALLS, CALLS, "The calls, whatever their requests are."),
    ],
    blocks: &[],
};

pub(super) fn convert(block: &Block, ids: &Ids, model: &Model, sink: &mut Sink) -> Vec<CallTest> {
    let Some(most) = block.get::<Duration>(words::MOST) else { return Vec::new() };
    let calls = block.get::<Vec<Spanned<Value>>>(words::CALLS).into_iter().flat_map(|list| list.value);
    let listed = test_call::Listed::Within(most.value);
    calls.filter_map(|call| test_call::listed(&call, listed, ids, model, sink)).collect()
}
