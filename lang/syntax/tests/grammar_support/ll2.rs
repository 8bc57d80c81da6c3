//! FIRST and FOLLOW sets of up to two terminals, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use super::ebnf::{Productions, Symbol};

/// What stands behind the end of a sentence.
pub(crate) const END: &str = "END";

/// Up to two terminals. Shorter ones in a FIRST set are whole sentences of the symbol.
type Strings = BTreeSet<Vec<String>>;

/// A grammar with its sets.
pub(crate) struct Grammar {
    pub(crate) productions: Productions,
    first: BTreeMap<String, Strings>,
    follow: BTreeMap<String, Strings>,
    /// For each alternative of a rule, the pairs of terminals that choose it.
    predicting: BTreeMap<String, Vec<Strings>>,
}

/// The strings of `left` continued by those of `right`, cut to two terminals.
fn joined(left: &Strings, right: &Strings) -> Strings {
    let mut strings = Strings::new();
    for string in left {
        if string.len() == 2 {
            strings.insert(string.clone());
            continue;
        }
        for next in right {
            strings.insert(string.iter().chain(next).take(2).cloned().collect());
        }
    }
    strings
}

impl Grammar {
    /// Computes the sets; sentences begin at the rule `start`.
    pub(crate) fn new(productions: Productions, start: &str) -> Self {
        let empty: BTreeMap<String, Strings> =
            productions.keys().map(|rule| (rule.clone(), Strings::new())).collect();
        let mut grammar =
            Self { productions, first: empty.clone(), follow: empty, predicting: BTreeMap::new() };
        loop {
            let mut grown = false;
            for (rule, alternatives) in &grammar.productions {
                let strings: Strings =
                    alternatives.iter().flat_map(|symbols| grammar.first_of(symbols)).collect();
                grown |= strings.len() > grammar.first[rule].len();
                grammar.first.insert(rule.clone(), strings);
            }
            if !grown {
                break;
            }
        }
        let end = [END, END].map(str::to_owned).to_vec();
        grammar.follow.get_mut(start).expect("the start rule exists").insert(end);
        loop {
            let mut additions = Vec::new();
            for (rule, alternatives) in &grammar.productions {
                for symbols in alternatives {
                    for (position, symbol) in symbols.iter().enumerate() {
                        if let Symbol::Rule(inner) = symbol {
                            let rest = grammar.first_of(&symbols[position + 1..]);
                            additions.push((inner.clone(), joined(&rest, &grammar.follow[rule])));
                        }
                    }
                }
            }
            let size = |grammar: &Self| grammar.follow.values().map(BTreeSet::len).sum::<usize>();
            let before = size(&grammar);
            for (rule, strings) in additions {
                grammar.follow.get_mut(&rule).expect("every rule has a set").extend(strings);
            }
            if size(&grammar) == before {
                break;
            }
        }
        for (rule, alternatives) in &grammar.productions {
            let chosen = |symbols: &Vec<Symbol>| joined(&grammar.first_of(symbols), &grammar.follow[rule]);
            grammar.predicting.insert(rule.clone(), alternatives.iter().map(chosen).collect());
        }
        grammar
    }

    fn first_of(&self, symbols: &[Symbol]) -> Strings {
        let mut strings = Strings::from([Vec::new()]);
        for symbol in symbols {
            strings = match symbol {
                Symbol::Terminal(terminal) => joined(&strings, &Strings::from([vec![terminal.clone()]])),
                Symbol::Rule(rule) => joined(&strings, &self.first[rule]),
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
                    for pair in one.intersection(other) {
                        conflicts.push(format!("{rule}: {pair:?} fits two alternatives"));
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
                    let pair: Vec<String> = rest.iter().rev().take(2).cloned().collect();
                    let fitting =
                        self.predicting[&rule].iter().position(|predicting| predicting.contains(&pair));
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
