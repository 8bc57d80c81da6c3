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
    Compilation, ENTRY, Levels, Options, Request, check_request, codes, declared_names, query,
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
