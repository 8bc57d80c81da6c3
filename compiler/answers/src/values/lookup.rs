//! Paths: from something declared to one of its values.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use lang_diagnostics::{Span, Spanned, suggest};
use lang_evaluate::schema::{Kind, Label, Presence, assertion};
use lang_evaluate::{Block, Declarations, Value};
use meshc_vocabulary::model::{DataPlane, Id, Policy};
use meshc_vocabulary::{SCHEMA, Tests};

use super::plain::qualified;
use super::settings;
use super::{Plain, Seen};
use crate::reached::Reached;
use crate::world::World;

/// The word behind something that policies apply to, for what applies.
const POLICY: &str = "policy";
/// The word behind a service for who calls it.
const CALLERS: &str = "callers";

/// The word behind a service for who reaches it, directly or through others.
pub(crate) const REACHED_BY: &str = "reached_by";

/// Looks values up.
pub(crate) struct Lookup<'a> {
    world: &'a World<'a>,
    declarations: &'a Declarations,
    defaults: &'a Declarations,
    names: settings::Names,
    /// The policies by their places.
    policies: BTreeMap<Span, &'a Block>,
    /// Made when it is asked for.
    reached: OnceCell<Reached>,
}

/// A path that leads nowhere: at which segment, and what there is instead.
#[derive(Clone, Debug)]
pub(crate) struct Unknown {
    pub(crate) segment: usize,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Where a path has led so far.
enum Here<'a> {
    /// The top of all files.
    Top,
    /// A block, or those of a namespace that is opened several times; never empty.
    Blocks(Vec<&'a Block>),
    /// All blocks of one kind in something; never empty.
    Kind(Vec<&'a Block>),
    /// The settings that apply at something.
    Policies(settings::Settings),
    /// Blocks of a kind of setting, those of the policy before those of the table of defaults; possibly none.
    Setting { own: Vec<&'a Block>, defaults: Vec<&'a Block>, kind: &'static Kind },
    /// A value.
    Value(Plain, Option<Span>),
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(world: &'a World<'a>, tests: &'a Tests) -> Self {
        let (declarations, defaults) = (&tests.declarations, &tests.defaults);
        let top = declarations.blocks.iter();
        let inner = declarations.blocks.iter().flat_map(Block::inner);
        let policies = top.chain(inner).filter(|block| block.kind.word == POLICY);
        let policies = policies.map(|block| (block.name_span(), block)).collect();
        Self {
            world,
            declarations,
            defaults,
            names: settings::Names::new(world),
            policies,
            reached: OnceCell::new(),
        }
    }

    /// What a path comes to. A single name that is nothing declared is a word.
    pub(crate) fn path(&self, names: &[&str]) -> Result<Seen, Unknown> {
        let of_kind = names.first().and_then(|first| first.strip_suffix(assertion::OF_KIND));
        let mut here = Here::Top;
        for (position, name) in names.iter().enumerate().skip(usize::from(of_kind.is_some())) {
            here = match self.step(&here, name) {
                Ok(next) => only(next, of_kind),
                Err(_) if position == 0 && names.len() == 1 => {
                    let value = Plain::Bare((*name).to_owned(), None);
                    return Ok(Seen { value, place: None });
                }
                Err((message, help)) => return Err(Unknown { segment: position, message, help }),
            };
        }
        let seen = self.seen(here);
        // A name alone may also be a word of whatever it is compared with.
        Ok(match (names, seen.value) {
            ([word], Plain::Name(name)) => {
                Seen { value: Plain::Bare((*word).to_owned(), Some(name)), place: seen.place }
            }
            (_, value) => Seen { value, place: seen.place },
        })
    }

    fn step(&self, here: &Here<'a>, name: &str) -> Result<Here<'a>, (String, String)> {
        match here {
            Here::Top => self.inside(&self.declarations.blocks.iter().collect::<Vec<_>>(), SCHEMA.file, name),
            Here::Blocks(blocks) => self.of_blocks(blocks, name),
            Here::Kind(blocks) => {
                let is_called =
                    |block: &&&'a Block| block.label.as_ref().is_some_and(|label| label.value == name);
                let labelled: Vec<&'a Block> = blocks.iter().filter(is_called).copied().collect();
                if labelled.is_empty() { self.of_blocks(blocks, name) } else { Ok(Here::Blocks(labelled)) }
            }
            Here::Policies(settings) => {
                let Some((word, policy)) = settings.iter().find(|(word, _)| *word == name) else {
                    let words = settings.iter().map(|(word, _)| *word);
                    return Err(unknown(name, "no setting that applies here", words.collect()));
                };
                self.setting(word, *policy).ok_or_else(|| unknown(name, "no setting", Vec::new()))
            }
            Here::Setting { own, defaults, kind } => self.of_setting(own, defaults, kind, name),
            Here::Value(Plain::None, place) => Ok(Here::Value(Plain::None, *place)),
            Here::Value(Plain::Record(entries), place) => {
                let found = entries.iter().find(|(known, _)| known == name);
                match found {
                    Some((_, value)) => Ok(Here::Value(value.clone(), *place)),
                    None => {
                        let names = entries.iter().map(|(name, _)| name.as_str());
                        Err(unknown(name, "no entry of this record", names.collect()))
                    }
                }
            }
            Here::Value(Plain::List(list), place) => {
                let each: Result<Vec<Plain>, _> = list
                    .iter()
                    .map(|one| {
                        let next = self.step(&Here::Value(one.clone(), *place), name)?;
                        Ok(self.seen(next).value)
                    })
                    .collect();
                each.map(|list| Here::Value(Plain::List(list), *place))
            }
            Here::Value(Plain::Name(path), _) => {
                let names: Vec<&str> = path.split('.').chain([name]).collect();
                let found = self.path(&names).map_err(|unknown| (unknown.message, unknown.help))?;
                Ok(Here::Value(found.value, found.place))
            }
            Here::Value(value, _) => {
                Err((format!("{} has no `{name}`", value.kind()), String::from("remove what is behind it")))
            }
        }
    }

    /// What is in a block. Things of several kinds may have one name: then what is called comes first.
    fn of_blocks(&self, blocks: &[&'a Block], name: &str) -> Result<Here<'a>, (String, String)> {
        let is_called = |block: &&'a Block| matches!(block.kind.word, "service" | "client" | "external");
        let (mut first, mut rest): (Vec<&'a Block>, Vec<&'a Block>) =
            blocks.iter().copied().partition(is_called);
        if first.is_empty() {
            let kind = rest.first().map_or("", |block| block.kind.word);
            (first, rest) = rest.into_iter().partition(|block| block.kind.word == kind);
        }
        match self.of_one(&first, name) {
            Err(_) if !rest.is_empty() => self.of_blocks(&rest, name),
            found => found,
        }
    }

    fn of_one(&self, blocks: &[&'a Block], name: &str) -> Result<Here<'a>, (String, String)> {
        let Some(first) = blocks.first() else { return Ok(Here::Value(Plain::None, None)) };
        let kind = first.kind;
        if let Some(entity) = first.entity {
            let whole = qualified(entity, self.declarations);
            if name == POLICY
                && let Some(settings) = self.names.settings(self.world, kind.word, &whole)
            {
                return Ok(Here::Policies(settings));
            }
            if name == CALLERS && kind.word == "service" {
                return Ok(Here::Value(self.callers(&whole), Some(first.name_span())));
            }
            if name == REACHED_BY && kind.word == "service" {
                let names = self.ways(&whole).into_keys().map(Plain::Name).collect();
                return Ok(Here::Value(Plain::List(names), Some(first.name_span())));
            }
        }
        if let Some(attribute) = kind.attribute(name) {
            let values: Vec<_> = blocks.iter().filter_map(|block| block.value(name)).collect();
            return Ok(match values.as_slice() {
                [] => self.absent(first, attribute.name, &attribute.presence),
                [one] => Here::Value(Plain::of(&one.value, self.declarations), Some(one.span)),
                [one, ..] => {
                    let list = values.iter().map(|one| Plain::of(&one.value, self.declarations));
                    Here::Value(Plain::List(list.collect()), Some(one.span))
                }
            });
        }
        let inner: Vec<&'a Block> = blocks.iter().flat_map(|block| block.inner()).collect();
        self.inside(&inner, kind, name)
    }

    /// What a name means among blocks inside of a kind: one of them by its label, or all of a kind.
    fn inside(
        &self,
        inner: &[&'a Block],
        kind: &'static Kind,
        name: &str,
    ) -> Result<Here<'a>, (String, String)> {
        let labelled: Vec<&'a Block> = inner
            .iter()
            .copied()
            .filter(|block| block.label.as_ref().is_some_and(|label| label.value == name))
            .collect();
        if !labelled.is_empty() {
            return Ok(Here::Blocks(labelled));
        }
        if let Some(nested) = kind.block(name) {
            let of_kind: Vec<&'a Block> =
                inner.iter().copied().filter(|block| block.kind.word == nested.kind.word).collect();
            if of_kind.is_empty() {
                return Ok(Here::Value(Plain::None, None));
            }
            return Ok(Here::Kind(of_kind));
        }
        let labels = inner.iter().filter_map(|block| block.label.as_ref()).map(|label| label.value.as_str());
        let attributes = kind.attributes.iter().map(|attribute| attribute.name);
        let kinds = kind.blocks.iter().map(|nested| nested.kind.word);
        let known = labels.chain(attributes).chain(kinds).chain([POLICY, CALLERS, REACHED_BY]);
        let what = match kind.word {
            "" => String::from("nothing declared"),
            word => format!("neither in this `{word}` nor an attribute of it"),
        };
        Err(unknown(name, &what, known.collect()))
    }

    /// A value that is not written.
    fn absent(&self, block: &Block, attribute: &str, presence: &Presence) -> Here<'a> {
        let value = match (block.kind.word, attribute, presence) {
            ("service" | "client", "account", _) => Plain::Text(block.name().to_owned()),
            (_, _, Presence::Derived(_)) => self.derived(block, attribute),
            (_, _, Presence::Required | Presence::Optional | Presence::Default(_) | Presence::Inherited) => {
                Plain::None
            }
        };
        Here::Value(value, None)
    }

    /// What the model makes of an attribute that depends on something else.
    fn derived(&self, block: &Block, attribute: &str) -> Plain {
        let model = self.world.model;
        let cluster = || model.clusters.iter().find(|(_, cluster)| cluster.name == block.name());
        match (block.kind.word, attribute) {
            ("cluster", "trust_domain") => {
                cluster().map_or(Plain::None, |(id, _)| Plain::Text(model.trust_domain(id).to_owned()))
            }
            ("cluster", "data_plane") => cluster().map_or(Plain::None, |(id, _)| {
                Plain::Word(match model.data_plane(id) {
                    DataPlane::Envoy => String::from("envoy"),
                    DataPlane::Meshd => String::from("meshd"),
                })
            }),
            _ => Plain::None,
        }
    }

    /// The blocks of a kind of setting.
    fn setting(&self, word: &str, policy: Option<Id<Policy>>) -> Option<Here<'a>> {
        let own = policy
            .map(|policy| self.world.model.policies.at(policy).origin.span)
            .and_then(|span| self.policies.get(&span).copied())
            .map(|block| block.inner().iter().filter(|inner| inner.kind.word == word).collect::<Vec<_>>());
        let table = self.defaults.blocks.first().into_iter().flat_map(Block::inner);
        let defaults: Vec<&'a Block> = table.filter(|inner| inner.kind.word == word).collect();
        let kind = SCHEMA.file.block(POLICY)?.kind.block(word)?.kind;
        Some(Here::Setting { own: own.unwrap_or_default(), defaults, kind })
    }

    fn of_setting(
        &self,
        own: &[&'a Block],
        defaults: &[&'a Block],
        kind: &'static Kind,
        name: &str,
    ) -> Result<Here<'a>, (String, String)> {
        if let Some(attribute) = kind.attribute(name) {
            let value = |block: &&&'a Block| block.value(attribute.name).map(|value| self.of(value));
            let values: Vec<Seen> = own.iter().filter_map(|block| value(&block)).collect();
            let values = if values.is_empty() {
                defaults.iter().filter_map(|block| value(&block)).collect()
            } else {
                values
            };
            return Ok(match values.as_slice() {
                [] => Here::Value(Plain::None, own.first().map(|block| block.name_span())),
                [one] => Here::Value(one.value.clone(), one.place),
                [one, ..] => {
                    let list = values.iter().map(|one| one.value.clone()).collect();
                    Here::Value(Plain::List(list), one.place)
                }
            });
        }
        if own.is_empty() && kind.block(name).is_some() {
            return Ok(Here::Value(Plain::None, None));
        }
        let inner: Vec<&'a Block> = own.iter().flat_map(|block| block.inner()).collect();
        self.inside(&inner, kind, name)
    }

    fn of(&self, value: &Spanned<Value>) -> Seen {
        Seen { value: Plain::of(&value.value, self.declarations), place: Some(value.span) }
    }

    /// What a path comes to that ends here.
    fn seen(&self, here: Here<'a>) -> Seen {
        match here {
            Here::Top => Seen { value: Plain::Other(String::from("the mesh")), place: None },
            Here::Value(value, place) => Seen { value, place },
            Here::Policies(_) => Seen { value: Plain::Other(String::from("settings")), place: None },
            Here::Setting { own, defaults, kind } => {
                let first = own.first().or(defaults.first());
                let value = match first {
                    Some(_) => Plain::Other(format!("{} {{ … }}", kind.word)),
                    None => Plain::None,
                };
                Seen { value, place: first.map(|block| block.name_span()) }
            }
            Here::Blocks(blocks) | Here::Kind(blocks) => {
                let place = blocks.first().map(|block| block.name_span());
                let mut values: Vec<Plain> = blocks.iter().map(|block| self.block(block)).collect();
                // A namespace that is opened several times, or things of several kinds, have one name.
                values.dedup();
                let value = match values.as_slice() {
                    [one] => one.clone(),
                    _ => Plain::List(values),
                };
                Seen { value, place }
            }
        }
    }

    fn block(&self, block: &Block) -> Plain {
        match (block.entity, &block.kind.label) {
            (Some(entity), _) => Plain::Name(qualified(entity, self.declarations)),
            (None, Label::None) => Plain::Other(format!("{} {{ … }}", block.kind.word)),
            (None, _) => Plain::Text(block.name().to_owned()),
        }
    }

    /// Who reaches a service, each with the way there.
    pub(crate) fn ways(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        let Some(service) = self.names.service(name) else { return BTreeMap::new() };
        let reached = self.reached.get_or_init(|| Reached::new(self.world));
        reached.ways(self.world.model.whole(service), name.to_owned())
    }

    /// Who calls a service, by calls or by routes.
    fn callers(&self, name: &str) -> Plain {
        let model = self.world.model;
        let id = self.names.service(name);
        let subsets = id.map(|id| model.services.at(id).subsets.clone()).unwrap_or_default();
        let all = id.into_iter().chain(subsets);
        let callers = all.flat_map(|id| self.world.resolved.incoming(id).map(|edge| edge.caller.name(model)));
        let callers: BTreeMap<String, ()> = callers.map(|name| (name, ())).collect();
        Plain::List(callers.into_keys().map(Plain::Name).collect())
    }
}

/// Of several things with one name those of a kind, if one is given.
fn only<'a>(here: Here<'a>, kind: Option<&str>) -> Here<'a> {
    match (here, kind) {
        (Here::Blocks(mut blocks), Some(kind)) if blocks.iter().any(|block| block.kind.word == kind) => {
            blocks.retain(|block| block.kind.word == kind);
            Here::Blocks(blocks)
        }
        (here, _) => here,
    }
}

fn unknown(name: &str, what: &str, known: Vec<&str>) -> (String, String) {
    let message = format!("`{name}` is {what}");
    let help = match suggest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => String::from("`meshc query` shows what there is"),
    };
    (message, help)
}
