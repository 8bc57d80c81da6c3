//! The table of changes, as it is read.

/// A change of a mesh, and what it comes to.
#[derive(Debug)]
pub(crate) struct Mutation {
    /// The file of the mesh, from the root.
    pub(crate) mesh: String,
    /// What the change is.
    pub(crate) name: String,
    /// What is replaced, by what.
    pub(crate) replaced: Vec<(String, String)>,
    /// The effects, one a line; empty if none is expected.
    pub(crate) effects: Vec<String>,
}

/// Which line of a replacement was the last.
#[derive(PartialEq)]
enum Last {
    Old,
    New,
    Other,
}

pub(crate) fn read(text: &str) -> Vec<Mutation> {
    let mut all: Vec<Mutation> = Vec::new();
    let (mut mesh, mut last) = (String::new(), Last::Other);
    for line in text.lines() {
        let content = || line.get(2..).unwrap_or_default().to_owned();
        if let Some(name) = line.strip_prefix("mesh ") {
            mesh = name.to_owned();
            last = Last::Other;
            continue;
        }
        if let Some(name) = line.strip_prefix("## ") {
            let (mesh, name) = (mesh.clone(), name.to_owned());
            all.push(Mutation { mesh, name, replaced: Vec::new(), effects: Vec::new() });
            last = Last::Other;
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(mutation) = all.last_mut() else { continue };
        if line == "-" || line.starts_with("- ") {
            if last == Last::Old {
                let (old, _) = mutation.replaced.last_mut().expect("begun");
                old.push_str(&format!("\n{}", content()));
            } else {
                mutation.replaced.push((content(), String::new()));
            }
            last = Last::Old;
        } else if line == "+" || line.starts_with("+ ") {
            let (_, new) = mutation.replaced.last_mut().expect("something is replaced");
            if last == Last::New {
                new.push('\n');
            }
            new.push_str(&content());
            last = Last::New;
        } else if line != "none" {
            mutation.effects.push(line.to_owned());
            last = Last::Other;
        }
    }
    all
}

/// Whether a text is as a pattern, in which `*` stands for any text.
pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
