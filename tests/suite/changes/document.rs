//! The commands of `lang/COMPARING.md` are run, and print what is written there; `MESH_BLESS=1` writes it. What it has for
//! GitHub and GitLab is what these read.

use mesh_tests::document;
use serde_json::Value;

const PATH: &str = "lang/COMPARING.md";

#[test]
fn every_command_of_the_document_prints_what_is_written_there() {
    let count = document::holds(PATH);
    assert!(count > 5, "{count} commands");
}

/// The members of a mapping must be among these.
fn only(value: &Value, known: &[&str]) {
    let members = value.as_object().unwrap_or_else(|| panic!("a mapping: {value}"));
    let strange: Vec<&String> = members.keys().filter(|key| !known.contains(&key.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?} in {value}");
}

#[test]
fn the_workflow_and_the_job_are_what_github_and_gitlab_read() {
    let blocks = document::blocks(PATH, "yaml");
    let parsed: Vec<Value> = blocks.iter().map(|block| serde_yaml::from_str(block).expect("YAML")).collect();
    let [github, gitlab] = parsed.as_slice() else { panic!("{} blocks", parsed.len()) };

    only(github, &["name", "on", "permissions", "jobs"]);
    assert_eq!(github["on"], "pull_request");
    assert_eq!(github["permissions"]["pull-requests"], "write");
    let jobs = github["jobs"].as_object().expect("jobs");
    assert_eq!(jobs.len(), 1);
    for job in jobs.values() {
        only(job, &["runs-on", "steps"]);
        let steps = job["steps"].as_array().expect("steps");
        for step in steps {
            only(step, &["name", "uses", "with", "run", "env", "if"]);
            assert!(step["uses"].is_string() != step["run"].is_string(), "one of both: {step}");
            // What somebody else names is given by environment, never written into a script.
            assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
        }
        let runs: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
        assert!(runs.iter().any(|run| run.contains("meshc diff") && run.contains("-o markdown")), "{runs:?}");
    }

    let jobs = gitlab.as_object().expect("jobs");
    assert_eq!(jobs.len(), 1);
    for job in jobs.values() {
        only(job, &["rules", "variables", "script"]);
        let script = job["script"].as_array().expect("a list");
        assert!(script.iter().all(Value::is_string), "{script:?}");
        assert!(script[0].as_str().is_some_and(|line| line.contains("meshc diff")), "{script:?}");
    }
}
