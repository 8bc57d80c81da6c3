//! FIRST and FOLLOW sets of up to two terminals, and what follows from them.

use std::collections::BTreeMap;

use super::ebnf::{Productions, Symbol};

/// What stands behind the end of a sentence.
pub(crate) const END: &str = "END";

/// Strings of up to two terminals, as the bits of a square: the row is the first terminal, the column the second, and 0
/// stands for none. Shorter ones in a FIRST set are whole sentences of the symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Strings {
    width: usize,
    bits: Vec<u64>,
}

impl Strings {
    fn new(width: usize) -> Self {
        Self { width, bits: vec![0; (width * width).div_ceil(64)] }
    }

    fn insert(&mut self, first: usize, second: usize) {
        let bit = first * self.width + second;
        self.bits[bit / 64] |= 1 << (bit % 64);
    }

    fn contains(&self, first: usize, second: usize) -> bool {
        let bit = first * self.width + second;
        self.bits[bit / 64] & (1 << (bit % 64)) != 0
    }

    fn row(&self, first: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.width).filter(move |second| self.contains(first, *second))
    }

    /// Adds the other's strings, and says whether any was new.
    fn extend(&mut self, other: &Self) -> bool {
        let mut grown = false;
        for (own, other) in self.bits.iter_mut().zip(&other.bits) {
            grown |= *own | other != *own;
            *own |= other;
        }
        grown
    }

    /// The strings of this set continued by those of `right`, cut to two terminals.
    fn joined(&self, right: &Self) -> Self {
        let mut strings = self.clone();
        let firsts: Vec<usize> = (0..self.width).filter(|first| right.row(*first).next().is_some()).collect();
        for first in 1..self.width {
            if self.contains(first, 0) {
                strings.bits[first * self.width / 64] &= !(1 << (first * self.width % 64));
                firsts.iter().for_each(|second| strings.insert(first, *second));
            }
        }
        if self.contains(0, 0) {
            strings.bits[0] &= !1;
            strings.extend(right);
        }
        strings
    }
}

/// A grammar with its sets.
pub(crate) struct Grammar {
    pub(crate) productions: Productions,
    /// The terminals, each at its number; the first stands for none.
    terminals: Vec<String>,
    first: BTreeMap<String, Strings>,
    /// For each alternative of a rule, the pairs of terminals that choose it.
    predicting: BTreeMap<String, Vec<Strings>>,
}

impl Grammar {
    /// Computes the sets; sentences begin at the rule `start`.
    pub(crate) fn new(productions: Productions, start: &str) -> Self {
        let mut terminals = vec![String::new(), END.to_owned()];
        for symbol in productions.values().flatten().flatten() {
            if let Symbol::Terminal(terminal) = symbol
                && !terminals.contains(terminal)
            {
                terminals.push(terminal.clone());
            }
        }
        let width = terminals.len();
        let empty: BTreeMap<String, Strings> =
            productions.keys().map(|rule| (rule.clone(), Strings::new(width))).collect();
        let mut follow = empty.clone();
        let mut grammar = Self { productions, terminals, first: empty, predicting: BTreeMap::new() };
        loop {
            let mut grown = false;
            for (rule, alternatives) in grammar.productions.clone() {
                for symbols in &alternatives {
                    let strings = grammar.first_of(symbols);
                    grown |= grammar.first.get_mut(&rule).expect("every rule has a set").extend(&strings);
                }
            }
            if !grown {
                break;
            }
        }
        follow.get_mut(start).expect("the start rule exists").insert(1, 1);
        // What follows a symbol inside of a rule does not change any more.
        let mut places = Vec::new();
        for (rule, alternatives) in &grammar.productions {
            for symbols in alternatives {
                for (position, symbol) in symbols.iter().enumerate() {
                    if let Symbol::Rule(inner) = symbol {
                        places.push((rule, inner, grammar.first_of(&symbols[position + 1..])));
                    }
                }
            }
        }
        loop {
            let mut grown = false;
            for (rule, inner, rest) in &places {
                let strings = rest.joined(&follow[*rule]);
                grown |= follow.get_mut(*inner).expect("every rule has a set").extend(&strings);
            }
            if !grown {
                break;
            }
        }
        drop(places);
        for (rule, alternatives) in &grammar.productions {
            let chosen = |symbols: &Vec<Symbol>| grammar.first_of(symbols).joined(&follow[rule]);
            grammar.predicting.insert(rule.clone(), alternatives.iter().map(chosen).collect());
        }
        grammar
    }

    /// The number of a terminal; one that no rule mentions is chosen by none.
    fn number(&self, terminal: &str) -> Option<usize> {
        self.terminals.iter().position(|known| known == terminal)
    }

    fn first_of(&self, symbols: &[Symbol]) -> Strings {
        let mut strings = Strings::new(self.terminals.len());
        strings.insert(0, 0);
        for symbol in symbols {
            strings = match symbol {
                Symbol::Terminal(terminal) => {
                    let mut one = Strings::new(self.terminals.len());
                    one.insert(self.number(terminal).expect("it is one of the rules"), 0);
                    strings.joined(&one)
                }
                Symbol::Rule(rule) => strings.joined(&self.first[rule]),
            };
        }
        strings
    }

    /// Places where two terminals do not decide between two alternatives.
    pub(crate) fn conflicts(&self) -> Vec<String> {
        let mut conflicts = Vec::new();
        for (rule, predicting) in &self.predicting {
            for (position, one) in predicting.iter().enumerate() {
                for other in &predicting[position + 1..] {
                    for first in 0..one.width {
                        for second in one.row(first).filter(|second| other.contains(first, *second)) {
                            let pair = [&self.terminals[first], &self.terminals[second]];
                            conflicts.push(format!("{rule}: {pair:?} fits two alternatives"));
                        }
                    }
                }
            }
        }
        conflicts
    }

    /// Whether the terminals are a sentence, deciding by two terminals only.
    pub(crate) fn accepts(&self, start: &str, terminals: &[String]) -> bool {
        let mut rest = terminals.iter().cloned().chain([END.to_owned(), END.to_owned()]).collect::<Vec<_>>();
        rest.reverse();
        let mut expected = vec![Symbol::Rule(start.to_owned())];
        while let Some(symbol) = expected.pop() {
            match symbol {
                Symbol::Terminal(terminal) => {
                    if rest.pop() != Some(terminal) {
                        return false;
                    }
                }
                Symbol::Rule(rule) => {
                    let number = |back: usize| {
                        let terminal = rest.len().checked_sub(back).map(|at| rest[at].as_str());
                        terminal.map_or(Some(0), |terminal| self.number(terminal))
                    };
                    let (Some(first), Some(second)) = (number(1), number(2)) else { return false };
                    let fitting = self.predicting[&rule]
                        .iter()
                        .position(|predicting| predicting.contains(first, second));
                    match fitting {
                        Some(fitting) => {
                            expected.extend(self.productions[&rule][fitting].iter().rev().cloned())
                        }
                        None => return false,
                    }
                }
            }
        }
        rest.len() == 2
    }
}
