//! `meshc diff --envoy`: what another release of Envoy does otherwise with one mesh.

use std::collections::BTreeMap;

use meshc_driver::Compilation;
use meshc_driver::envoy_releases::{Behaviour, Change, Kind, Release, between};
use serde_json::{Value, json};

/// How many places and proxies of one behaviour are shown.
const MOST: usize = 4;

/// The two releases, as they are written on the command line.
#[derive(Clone, Copy)]
pub(super) struct Releases {
    pub(super) before: Release,
    pub(super) after: Release,
}

/// What they do otherwise, for whoever reads it.
pub(super) struct Upgrade<'a> {
    releases: Releases,
    compilation: &'a Compilation,
    changes: Vec<Change<'a>>,
}

/// Compares what two releases do with a mesh; `None` if that has errors.
pub(super) fn compare(compilation: &Compilation, releases: Releases) -> Option<Upgrade<'_>> {
    let mesh = compilation.mesh.as_ref()?;
    let changes = between(&mesh.plan.proxies, releases.before, releases.after);
    Some(Upgrade { releases, compilation, changes })
}

impl Upgrade<'_> {
    pub(super) fn is_nothing(&self) -> bool {
        self.changes.is_empty()
    }

    /// What both releases do, before and after.
    fn sides(&self, behaviour: &Behaviour) -> [&'static str; 2] {
        if self.releases.before < self.releases.after {
            [behaviour.before, behaviour.now]
        } else {
            [behaviour.now, behaviour.before]
        }
    }

    /// The release of the two that lacks what has begun since.
    fn older(&self) -> Release {
        self.releases.before.min(self.releases.after)
    }

    fn heading(&self, kind: Kind) -> String {
        let older = self.older();
        match kind {
            Kind::Refused => format!("configuration that Envoy {older} refuses"),
            Kind::Setting => format!(
                "settings that Envoy {older} does not know: it refuses a static configuration, and takes a watched one without them"
            ),
            Kind::Meaning => String::from("other meaning"),
        }
    }

    /// The places that ask for it, each with how many proxies it concerns; in order.
    fn places(&self, change: &Change<'_>) -> BTreeMap<String, usize> {
        let mut places = BTreeMap::new();
        for origin in change.proxies.iter().flat_map(|(_, places)| places) {
            let place = self.compilation.sources.place(origin.span);
            *places.entry(format!("{} ({place})", origin.name)).or_default() += 1;
        }
        places
    }

    pub(super) fn text(&self) -> String {
        let Releases { before, after } = self.releases;
        if self.is_nothing() {
            return format!(
                "Envoy {after} does with this mesh what Envoy {before} does, as far as is known\n"
            );
        }
        let mut text = String::new();
        for kind in [Kind::Refused, Kind::Setting, Kind::Meaning] {
            let mut changes = self.changes.iter().filter(|change| change.behaviour.kind == kind).peekable();
            if changes.peek().is_some() {
                text.push_str(&format!("{}:\n", self.heading(kind)));
            }
            for change in changes {
                let [then, now] = self.sides(change.behaviour);
                text.push_str(&format!("  {}, since {}\n", change.behaviour.name, change.behaviour.since));
                text.push_str(&format!("    {before}: {then}\n    {after}: {now}\n"));
                let places: Vec<_> = self.places(change).into_keys().collect();
                text.push_str(&format!("    asked for by {}\n", some_of(&places)));
                let proxies: Vec<_> = change.proxies.iter().map(|(name, _)| name.to_string()).collect();
                text.push_str(&format!("    at {}\n", some_of(&proxies)));
            }
        }
        text
    }

    pub(super) fn markdown(&self) -> String {
        let Releases { before, after } = self.releases;
        let mut text = format!("## Envoy {before} to {after}\n\n");
        if self.is_nothing() {
            text.push_str("Nothing that this mesh makes use of is known to change.\n");
            return text;
        }
        text.push_str(&format!("| | {before} | {after} | asked for by | proxies |\n|---|---|---|---|---|\n"));
        for change in &self.changes {
            let [then, now] = self.sides(change.behaviour);
            let places: Vec<_> = self.places(change).into_keys().collect();
            let (name, count) = (change.behaviour.name, change.proxies.len());
            let row = format!("| `{name}` | {then} | {now} | {} | {count} |\n", some_of(&places));
            text.push_str(&row);
        }
        text
    }

    pub(super) fn record(&self) -> String {
        let Releases { before, after } = self.releases;
        let value = json!({
            "before": before.to_string(),
            "after": after.to_string(),
            "changes": self.changes.iter().map(|change| self.change(change)).collect::<Vec<_>>(),
        });
        format!("{value:#}\n")
    }

    fn change(&self, change: &Change<'_>) -> Value {
        let [then, now] = self.sides(change.behaviour);
        let kind = match change.behaviour.kind {
            Kind::Refused => "refused",
            Kind::Setting => "setting",
            Kind::Meaning => "meaning",
        };
        let places = |(name, places): &(&_, Vec<&lang_diagnostics::Origin>)| {
            let places: Vec<_> =
                places.iter().map(|origin| self.compilation.sources.place(origin.span)).collect();
            json!({ "proxy": ToString::to_string(*name as &meshc_plan::ProxyName), "places": places })
        };
        json!({
            "name": change.behaviour.name,
            "since": change.behaviour.since.to_string(),
            "kind": kind,
            "before": then,
            "after": now,
            "proxies": change.proxies.iter().map(places).collect::<Vec<_>>(),
        })
    }
}

/// The first ones, and how many more there are.
fn some_of(all: &[String]) -> String {
    let shown = all.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
