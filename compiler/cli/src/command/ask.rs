//! `meshc ask`: who may call whom, with what, and where it goes.

use std::io::{self, Read as _};

use clap::{Args, ValueEnum};
use meshc_driver::{Reason, Told, ToldLine, ToldStep, Truth, ask};
use serde_json::{Value, json};

use crate::compile::{DataPlaneWord, MeshArguments, compile, show};
use crate::completion;
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc ask 'can istioinaction.webapp call istioinaction.catalog' mesh.mesh
  $ meshc ask 'who can call istioinaction.catalog GET /items' mesh.mesh
  $ meshc ask 'what can istioinaction.webapp reach' mesh.mesh
  $ meshc ask 'where does webapp.istioinaction.io/ go' mesh.mesh
  $ meshc ask 'why can west.ingress call istioinaction.webapp' mesh.mesh
  $ meshc ask 'trace can west.ingress call istioinaction.webapp GET /' mesh.mesh

Questions:
  can A call B [METHOD] [PATH] [with HEADER=VALUE ...]
  who can call B [METHOD] [PATH] [with HEADER=VALUE ...]
  what can A reach
  where does [METHOD] HOST/PATH go [from GATEWAY] [with HEADER=VALUE ...]

`why` before one adds what decides: the call or the rule of a route, the rule of
a policy, and each setting, with its line. `trace`, before `can` and `where`,
adds every host, route and rule that was tried. `without` behind one lists what
has failed: `without east, shop.catalog in west, west-net -> east-net`.

Names are those of calls in a `test`: shop.web, `shop.web in west`,
shop.web.http, west.ingress, west.ingress.http. With `-` as the question, each
line of standard input is one.

Exits as grep does: with 0 if it is so (or the list has something in it), with 1
if it is not, with 2 if the question is none or the mesh has errors; and with 3
if it depends on what the question leaves open. Of several, 2 goes before 1, and
1 before 3.";

/// Arguments of `meshc ask`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The question; `-` for one in each line of standard input.
    #[arg(value_name = "QUESTION", allow_hyphen_values = true, add = completion::asked_questions())]
    question: String,
    #[command(flatten)]
    mesh: MeshArguments,
    /// Format of the answer, on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Ask about this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
}

/// In which format the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object, and with `-` one in each line.
    Json,
}

/// Asks.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let questions = questions(arguments)?;
    let mut compilation = compile(&arguments.mesh, arguments.data_plane)?;
    if compilation.mesh.is_none() {
        show(&compilation, console);
        return Ok(Exit::Usage);
    }
    let answers = ask(&mut compilation, &questions);
    let several = arguments.question == "-";
    let mut text = String::new();
    let mut worst = Exit::Ok;
    for (question, answer) in questions.iter().zip(answers) {
        match answer {
            Ok(told) => {
                worst = worse(worst, exit(told.verdict));
                text.push_str(&match (arguments.format, several) {
                    (Format::Text, false) => answer_text(&told, question),
                    (Format::Text, true) => format!("{question}\n{}\n", answer_text(&told, question)),
                    (Format::Json, false) => format!("{:#}\n", record(question, &told)),
                    (Format::Json, true) => format!("{}\n", record(question, &told)),
                });
            }
            Err(wrong) => {
                worst = Exit::Usage;
                console.diagnostics(&wrong, &compilation.sources);
                if (arguments.format, several) == (Format::Json, true) {
                    let said: Vec<_> =
                        wrong.iter().map(|it| json!({ "code": it.code.0, "message": it.message })).collect();
                    text.push_str(&format!("{}\n", json!({ "question": question, "wrong": said })));
                }
            }
        }
    }
    print(&text).context(|| String::from("write to standard output"))?;
    Ok(worst)
}

fn questions(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    if arguments.question != "-" {
        return Ok(vec![arguments.question.clone()]);
    }
    if arguments.mesh.reads_standard_input() {
        return Err(Failure::new("standard input cannot be both the questions and the mesh")
            .help("name the file of the mesh"));
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context(|| String::from("read standard input"))?;
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

fn exit(verdict: Truth) -> Exit {
    match verdict {
        Truth::Yes => Exit::Ok,
        Truth::No => Exit::Findings,
        Truth::Depends => Exit::Depends,
    }
}

/// Which of two ends says more.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Ok | Exit::Command(_) => 0,
        Exit::Depends => 1,
        Exit::Findings => 2,
        Exit::Usage => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}

fn word(verdict: Truth) -> &'static str {
    match verdict {
        Truth::Yes => "yes",
        Truth::No => "no",
        Truth::Depends => "depends",
    }
}

/// Whether a question asks for all that decides.
fn asks_why(question: &str) -> bool {
    matches!(question.split_whitespace().next(), Some("why" | "trace"))
}

fn answer_text(told: &Told, question: &str) -> String {
    let mut text = format!("{}\n", word(told.verdict));
    let all = asks_why(question);
    let differ = told.lines.iter().any(|line| line.verdict != told.verdict);
    for ToldLine { verdict, who, text: what, answered_by: _, reasons } in &told.lines {
        let own = if differ { format!("{}: ", word(*verdict)) } else { String::new() };
        text.push_str(&format!("  {who}: {own}{what}\n"));
        let shown: Vec<&Reason> = reasons.iter().filter(|reason| all || !reason.further).collect();
        let width = shown.iter().map(|reason| reason.text.chars().count()).max().unwrap_or(0);
        for Reason { text: reason, place, further: _ } in shown {
            text.push_str(format!("    {reason:width$}  {place}").trim_end());
            text.push('\n');
        }
    }
    if !told.steps.is_empty() {
        text.push_str("tried:\n");
    }
    for ToldStep { depth, text: what, truth, place } in &told.steps {
        let indent = "  ".repeat(depth + 1);
        let verdict = truth.map(|truth| format!(": {}", word(truth))).unwrap_or_default();
        let place = if place.is_empty() { String::new() } else { format!("  ({place})") };
        text.push_str(&format!("{indent}{what}{verdict}{place}\n"));
    }
    text
}

fn record(question: &str, told: &Told) -> Value {
    let Told { verdict, lines, steps } = told;
    let reason = |reason: &Reason| json!({ "text": reason.text, "place": reason.place });
    let line = |line: &ToldLine| {
        json!({
            "who": line.who,
            "answer": word(line.verdict),
            "text": line.text,
            "answered_by": line.answered_by,
            "reasons": line.reasons.iter().map(reason).collect::<Vec<_>>(),
        })
    };
    let step = |step: &ToldStep| {
        json!({
            "depth": step.depth,
            "text": step.text,
            "met": step.truth.map(word),
            "place": step.place,
        })
    };
    json!({
        "question": question,
        "answer": word(*verdict),
        "lines": lines.iter().map(line).collect::<Vec<_>>(),
        "tried": steps.iter().map(step).collect::<Vec<_>>(),
    })
}
