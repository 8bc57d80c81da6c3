//! `meshc blast-radius`: what somebody gets hold of who has stolen a key.

use std::time::Duration;

use clap::{Args, ValueEnum};
use meshc_driver::{Opened, Stolen, ToldLine, Truth, radius};
use serde_json::json;

use crate::compile::{MeshArguments, compile, show};
use crate::completion;
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc blast-radius key west mesh.mesh
  $ meshc blast-radius identity istioinaction.webapp mesh.mesh
  $ meshc blast-radius gateway west.ingress mesh.mesh --format json

`key` is the key of a cluster's intermediate authority, `identity` that of a
service or client, `gateway` those of a gateway, `secret` a Secret that ingress
gateways read. Printed are the identities that its holder can take on, what is
called with them, directly or through others, and for how long.

Exits with 0, with 1 if the mesh has errors, with 2 if there is no such thing or
a file cannot be read.";

/// Arguments of `meshc blast-radius`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Whose key it is.
    #[arg(value_enum, value_name = "KIND")]
    kind: Kind,
    /// The cluster, the service or client, the gateway, or the Secret.
    #[arg(value_name = "NAME", add = completion::stolen())]
    name: String,
    #[command(flatten)]
    mesh: MeshArguments,
    /// Format, on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// That of a cluster's intermediate authority.
    Key,
    /// That of a service or client.
    Identity,
    /// Those of a gateway.
    Gateway,
    /// A Secret of ingress gateways.
    Secret,
}

/// In which format it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object.
    Json,
}

/// Prints it.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let mut compilation = compile(&arguments.mesh, None)?;
    if compilation.mesh.is_none() {
        show(&compilation, console);
        return Ok(Exit::Findings);
    }
    let stolen = match arguments.kind {
        Kind::Key => Stolen::Key,
        Kind::Identity => Stolen::Identity,
        Kind::Gateway => Stolen::Gateway,
        Kind::Secret => Stolen::Secret,
    };
    let opened = match radius(&mut compilation, stolen, &arguments.name) {
        Ok(opened) => opened,
        Err(wrong) => {
            console.diagnostics(&wrong, &compilation.sources);
            return Ok(Exit::Usage);
        }
    };
    let text = match arguments.format {
        Format::Text => text(&opened),
        Format::Json => record(&opened),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    Ok(Exit::Ok)
}

fn text(opened: &Opened) -> String {
    let Opened { identities, lines, lasts, notes } = opened;
    let mut text = String::new();
    let mut part = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("{title}:\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    };
    part("identities", identities.clone());
    let shown = lines.iter().map(|ToldLine { verdict, who, text, .. }| {
        let some = if *verdict == Truth::Depends { " (some requests)" } else { "" };
        format!("{who}{some}: {text}")
    });
    part("opens", shown.collect());
    let lasts = lasts.map(|lasts| format!("at most {} after it was issued", days(lasts)));
    part("lasts", lasts.into_iter().collect());
    part("notes", notes.clone());
    text
}

fn days(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 86_400 == 0 => format!("{} days", seconds / 86_400),
        seconds => format!("{} hours", seconds / 3_600),
    }
}

fn record(opened: &Opened) -> String {
    let Opened { identities, lines, lasts, notes } = opened;
    let line = |line: &ToldLine| {
        let answer = if line.verdict == Truth::Yes { "yes" } else { "some" };
        let reasons = line.reasons.iter().map(|reason| json!({ "text": reason.text, "place": reason.place }));
        json!({ "who": line.who, "answer": answer, "text": line.text, "reasons": reasons.collect::<Vec<_>>() })
    };
    let lines: Vec<_> = lines.iter().map(line).collect();
    let seconds = lasts.map(|lasts| lasts.as_secs());
    format!("{:#}\n", json!({ "identities": identities, "opens": lines, "seconds": seconds, "notes": notes }))
}
