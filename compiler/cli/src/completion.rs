//! How a command line may go on: what the scripts of `meshc completions` ask for.
//!
//! Names are those of the mesh that the command line names, or of the one in the current directory, with or without
//! errors in it. Whatever cannot be found out is not offered; nothing is ever printed but the candidates.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use clap_complete::env::CompleteEnv;
use meshc_driver::{
    Compilation, ENTRY, Levels, Options, Request, check_request, codes, declared_names, names_to_ask, query,
    secret_names,
};

use crate::CommandLine;
use crate::disk::Disk;

/// The variable of the environment that makes a run of meshc an answer to a shell.
pub(crate) const VARIABLE: &str = "MESHC_COMPLETE";

/// Answers if it is a shell that asks, and ends.
pub(crate) fn answer() {
    CompleteEnv::with_factory(visible).var(VARIABLE).completer("meshc").complete();
}

/// The command line without what is not for people: a shell would offer that, too.
pub(crate) fn visible() -> clap::Command {
    let whole = CommandLine::command();
    let commands = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let about = whole.get_about().cloned().unwrap_or_default();
    let after = whole.get_after_help().cloned().unwrap_or_default();
    clap::Command::new("meshc")
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .after_help(after)
        .args(whole.get_arguments().cloned())
        .subcommands(commands)
}

/// Codes of diagnostics, with their titles.
pub(crate) fn all_codes() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        codes::all().iter().map(|info| candidate(info.code.0).help(Some(info.title.into()))).collect()
    })
}

/// Codes of warnings, with their titles, and the word for all of them.
pub(crate) fn warnings() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let all = codes::all();
        let warnings = all.iter().filter(|info| info.code.0.starts_with('W'));
        let named = warnings.map(|info| candidate(info.code.0).help(Some(info.title.into())));
        named.chain([candidate("warnings").help(Some("all warnings".into()))]).collect()
    })
}

/// Clusters.
pub(crate) fn clusters() -> ArgValueCandidates {
    ArgValueCandidates::new(|| of_kinds(&["cluster"]))
}

/// Services and their subsets, as `fail` and `heal` take them.
pub(crate) fn services() -> ArgValueCandidates {
    ArgValueCandidates::new(|| of_kinds(&["service", "subset"]))
}

/// What `up --app` takes before the number of a port.
pub(crate) fn applications() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let services = of_kinds(&["service"]);
        let with_sign = services.into_iter().map(|name| {
            let text = name.get_value().to_string_lossy().into_owned();
            candidate(&format!("{text}="))
        });
        with_sign.collect()
    })
}

/// What `query` takes: names, behind a name and a point its parts, and behind an arrow the callees.
pub(crate) fn questions() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| asked(current.to_str().unwrap_or_default()))
}

fn asked(current: &str) -> Vec<CompletionCandidate> {
    let Some(compilation) = mesh() else { return Vec::new() };
    let names = declared_names(&compilation);
    let fitting = |text: &str| text.starts_with(current);
    if let Some((caller, _)) = current.split_once("->") {
        let callees = names.iter().filter(|one| one.kind == "service");
        let calls = callees.map(|one| format!("{} -> {}", caller.trim(), one.name));
        return calls.filter(|text| fitting(text)).map(|text| candidate(&text)).collect();
    }
    let mut found: Vec<_> = names
        .iter()
        .filter(|one| fitting(&one.name))
        .map(|one| candidate(&one.name).help(Some(one.kind.clone().into())))
        .collect();
    if let (Some((whole, _)), Some(checked)) = (current.rsplit_once('.'), &compilation.mesh) {
        let answers = query(&compilation, checked, whole).unwrap_or_default();
        let parts = answers.iter().flat_map(|answer| &answer.parts);
        // A part such as `port http.number` is no name that could be asked for.
        let parts = parts.filter(|part| !part.name.contains(' '));
        let named = parts.map(|part| (format!("{whole}.{}", part.name), &part.value));
        let fitting = named.filter(|(name, _)| fitting(name) && names.iter().all(|one| one.name != *name));
        found.extend(fitting.map(|(name, value)| candidate(&name).help(Some(value.clone().into()))));
    }
    found
}

/// What `ask` takes: the words of questions, and names where names are.
pub(crate) fn asked_questions() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| continued(current.to_str().unwrap_or_default()))
}

/// What `blast-radius` takes behind its first word.
pub(crate) fn stolen() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let words: Vec<_> = std::env::args_os().collect();
        let is = |word: &str| words.iter().any(|known| known == word);
        let secrets = || mesh().and_then(|mesh| Some(secret_names(mesh.mesh.as_ref()?))).unwrap_or_default();
        match ["key", "identity", "gateway", "secret"].into_iter().find(|word| is(word)) {
            Some("key") => of_kinds(&["cluster"]),
            Some("identity") => of_kinds(&["service", "client"]),
            Some("gateway") => of_kinds(&["gateway"]),
            Some(_) => secrets().iter().map(|name| candidate(name)).collect(),
            None => Vec::new(),
        }
    })
}

fn continued(current: &str) -> Vec<CompletionCandidate> {
    let (before, begun) = current.rfind(' ').map_or(("", current), |end| current.split_at(end + 1));
    let words: Vec<&str> = before.split_whitespace().collect();
    let (words, all) = match words.split_first() {
        Some((&("why" | "trace"), rest)) => (rest, false),
        Some(_) | None => (words.as_slice(), words.is_empty()),
    };
    let fixed = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let names = || mesh().and_then(|mesh| Some(names_to_ask(mesh.mesh.as_ref()?))).unwrap_or_default();
    let kinds = |wanted: &[&str]| {
        let declared = mesh().as_ref().map(declared_names).unwrap_or_default();
        let fitting = declared.into_iter().filter(|one| wanted.contains(&one.kind.as_str()));
        fitting.map(|one| one.name).collect::<Vec<_>>()
    };
    let next = match words {
        [] if all => fixed(&["can", "who", "what", "where", "why", "trace"]),
        [] => fixed(&["can", "who", "what", "where"]),
        ["can"] | ["what", "can"] => names().0,
        ["what" | "who"] => fixed(&["can"]),
        ["who", "can"] => fixed(&["call"]),
        ["where"] => fixed(&["does"]),
        ["where", "does", ..] if words.last() == Some(&"from") => kinds(&["gateway"]),
        ["where", "does", _] => fixed(&["go"]),
        [.., "call"] => names().1,
        [.., "in"] => kinds(&["cluster"]),
        [.., "without"] => kinds(&["service", "subset", "cluster", "gateway", "network"]),
        ["can", _] => fixed(&["call", "in"]),
        ["can", _, "in", _] => fixed(&["call"]),
        ["what", "can", _] => fixed(&["reach", "in"]),
        _ => fixed(&["with", "without", "in", "from"]),
    };
    let fitting = next.into_iter().filter(|text| text.starts_with(begun));
    fitting.map(|text| candidate(&format!("{before}{text}"))).collect()
}

fn candidate(text: &str) -> CompletionCandidate {
    CompletionCandidate::new(text)
}

fn of_kinds(kinds: &[&str]) -> Vec<CompletionCandidate> {
    let names = mesh().as_ref().map(declared_names).unwrap_or_default();
    let fitting = names.iter().filter(|one| kinds.contains(&one.kind.as_str()));
    fitting.map(|one| candidate(&one.name).help(Some(one.kind.clone().into()))).collect()
}

/// The mesh that is meant, as far as it can be read.
fn mesh() -> Option<Compilation> {
    let request = Request {
        entries: vec![entry()?],
        definitions: Vec::new(),
        values: Vec::new(),
        options: Options { data_plane: None },
    };
    check_request(&Disk, &request, &Levels::default()).ok()
}

/// The first word of the command line that is a mesh on the disk, or the mesh of the current directory.
fn entry() -> Option<PathBuf> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(2);
    let is_mesh = |path: &Path| {
        (path.extension().is_some_and(|extension| extension == "mesh") && path.is_file())
            || path.join(ENTRY).is_file()
    };
    let named = words.map(PathBuf::from).filter(|word| !word.as_os_str().is_empty());
    named.chain([PathBuf::from(ENTRY)]).find(|path| is_mesh(path))
}
