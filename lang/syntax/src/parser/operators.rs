//! Values with operators: conditions, comparisons, and the choice between two values.

use super::mistakes;
use super::tokens::{Bracket, DEPTH_LIMIT, Parsed, Tokens};
use super::values::{call, call_from, instance_from, primary};
use crate::ast::{Comparison, Conditional, Connective, Value, ValueKind};
use crate::token::TokenKind;

/// Any value. The first token decides whether it is a choice.
pub(super) fn value<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    if input.peek(0).kind == TokenKind::If && !input.at_item_line() {
        return conditional(input);
    }
    if negates(input) {
        return logic(input, Connective::Or, conjunction);
    }
    // Most values have no operator, and are not handed up through all the levels of those that do.
    let (rest, first) = primary(input)?;
    if !goes_on(rest) {
        return Ok((rest, first));
    }
    let start = input.peek(0).start;
    let (rest, first) = instance_from(rest, first)?;
    let (rest, first) = call_from(rest, first)?;
    let (rest, first) = comparison_from(rest, first)?;
    let (rest, first) = logic_from(rest, start, first, Connective::And, negation)?;
    logic_from(rest, start, first, Connective::Or, conjunction)
}

/// Whether the item may go on with an operator between values.
fn goes_on(input: Tokens<'_>) -> bool {
    match input.continuation() {
        Some(TokenKind::Name | TokenKind::Arrow | TokenKind::In | TokenKind::Comparison) => true,
        Some(_) | None => false,
    }
}

/// `if condition then one else other`
fn conditional<'a>(outer: Tokens<'a>) -> Parsed<'a, Value> {
    let start = outer.peek(0).start;
    outer.context.expands.set(true);
    let input = deeper(outer)?;
    let (rest, condition) = operand(input.advance(), value)?;
    let (rest, then) = operand(word(rest, "then")?, value)?;
    let (rest, otherwise) = operand(word(rest, "else")?, value)?;
    let kind = ValueKind::If(Box::new(Conditional { condition, then, otherwise }));
    Ok((rest.outside(outer), Value { kind, span: rest.span_from(start) }))
}

/// A word that has to stand here.
fn word<'a>(
    input: Tokens<'a>,
    word: &'static str,
) -> Result<Tokens<'a>, nom::Err<super::tokens::Mistake<'a>>> {
    if input.goes_on_with(word) { Ok(input.advance()) } else { Err(mistakes::incomplete_choice(input, word)) }
}

fn conjunction<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    logic(input, Connective::And, negation)
}

/// One operand, or several with the same connective between them.
fn logic<'a>(
    input: Tokens<'a>,
    connective: Connective,
    next: fn(Tokens<'a>) -> Parsed<'a, Value>,
) -> Parsed<'a, Value> {
    let (rest, first) = next(input)?;
    logic_from(rest, input.peek(0).start, first, connective, next)
}

/// The same from behind the first operand, which begins at `start`.
fn logic_from<'a>(
    mut rest: Tokens<'a>,
    start: u32,
    first: Value,
    connective: Connective,
    next: fn(Tokens<'a>) -> Parsed<'a, Value>,
) -> Parsed<'a, Value> {
    if !rest.goes_on_with(connective.text()) {
        return Ok((rest, first));
    }
    rest.context.expands.set(true);
    let mut operands = vec![first];
    while rest.goes_on_with(connective.text()) {
        let (after, value) = operand(rest.advance(), next)?;
        operands.push(value);
        rest = after;
    }
    Ok((rest, Value { kind: ValueKind::Logic(connective, operands), span: rest.span_from(start) }))
}

/// `not value`
fn negation<'a>(outer: Tokens<'a>) -> Parsed<'a, Value> {
    if !negates(outer) {
        return comparison(outer);
    }
    let first = outer.peek(0);
    outer.context.expands.set(true);
    let input = deeper(outer)?;
    let (rest, value) = operand(input.advance(), negation)?;
    let kind = ValueKind::Not(Box::new(value));
    Ok((rest.outside(outer), Value { kind, span: rest.span_from(first.start) }))
}

/// Whether `not` begins the value.
fn negates(input: Tokens<'_>) -> bool {
    let first = input.peek(0);
    first.kind == TokenKind::Name && input.text(first) == "not" && !input.at_item_line()
}

/// `call` or `call == call`
fn comparison<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    let (rest, left) = call(input)?;
    comparison_from(rest, left)
}

/// The same from behind the left side.
fn comparison_from(rest: Tokens<'_>, left: Value) -> Parsed<'_, Value> {
    let Some(comparison) = operator(rest) else { return Ok((rest, left)) };
    rest.context.expands.set(true);
    let (rest, right) = operand(rest.advance(), call)?;
    if operator(rest).is_some() {
        let help = "join two comparisons by `and`";
        return Err(mistakes::chained(rest, rest.text(rest.peek(0)), help));
    }
    let span = left.span.to(right.span);
    Ok((rest, Value { kind: ValueKind::Compare(comparison, Box::new((left, right))), span }))
}

/// The comparison that the item goes on with.
fn operator(input: Tokens<'_>) -> Option<Comparison> {
    if input.continuation() != Some(TokenKind::Comparison) {
        return None;
    }
    let text = input.text(input.peek(0));
    Comparison::ALL.into_iter().find(|comparison| comparison.text() == text)
}

/// An operand, which has to begin before the item ends.
fn operand<'a>(input: Tokens<'a>, form: fn(Tokens<'a>) -> Parsed<'a, Value>) -> Parsed<'a, Value> {
    match input.continuation() {
        Some(_) => form(input),
        None => Err(mistakes::missing_value(input)),
    }
}

/// The position behind one more operator that stands before its operand.
fn deeper<'a>(input: Tokens<'a>) -> Result<Tokens<'a>, nom::Err<super::tokens::Mistake<'a>>> {
    if input.depth() < DEPTH_LIMIT {
        Ok(input.inside(Bracket::Operator))
    } else {
        Err(mistakes::too_many_operators(input))
    }
}
