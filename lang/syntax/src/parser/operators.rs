//! Values with operators: conditions, comparisons, and the choice between two values.

use super::mistakes;
use super::tokens::{Bracket, DEPTH_LIMIT, Parsed, Tokens};
use super::values::call;
use crate::ast::{Comparison, Conditional, Connective, Value, ValueKind};
use crate::token::TokenKind;

/// Any value. The first token decides whether it is a choice.
pub(super) fn value<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    if input.peek(0).kind == TokenKind::If && !input.at_item_line() {
        return conditional(input);
    }
    logic(input, Connective::Or, conjunction)
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
    let start = input.peek(0).start;
    let (mut rest, first) = next(input)?;
    if !rest.goes_on_with(connective.text()) {
        return Ok((rest, first));
    }
    input.context.expands.set(true);
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
    let first = outer.peek(0);
    let negated = first.kind == TokenKind::Name && outer.text(first) == "not" && !outer.at_item_line();
    if !negated {
        return comparison(outer);
    }
    outer.context.expands.set(true);
    let input = deeper(outer)?;
    let (rest, value) = operand(input.advance(), negation)?;
    let kind = ValueKind::Not(Box::new(value));
    Ok((rest.outside(outer), Value { kind, span: rest.span_from(first.start) }))
}

/// `call` or `call == call`
fn comparison<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    let (rest, left) = call(input)?;
    let Some(comparison) = operator(rest) else { return Ok((rest, left)) };
    input.context.expands.set(true);
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
