//! The control socket of a running mesh: one line of JSON in, one line of JSON out.
//!
//! The socket lies in a directory that belongs to the user alone, named by the process that made it, so that
//! `meshc fail` in another terminal finds the mesh without being told where it is.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::stand_in::{Behaviour, Instance, Switchboard};
use crate::exit::{Context, Failure};

/// The longest request that is read, in bytes.
const LONGEST: u64 = 4096;
/// How long the other side may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How a control socket's name ends.
const SUFFIX: &str = ".control";

/// Names the control socket, for commands that `up` runs and for people with several meshes.
pub(crate) const VARIABLE: &str = "MESH_CONTROL";

/// What is asked of a running mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// `namespace.service`, or only `service`.
    pub(crate) service: String,
    /// The cluster.
    pub(crate) cluster: String,
    /// How its application is to behave from now on.
    pub(crate) behaviour: Behaviour,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// Which application it was.
    Done(Instance),
    /// Why not.
    Refused(String),
}

/// The control socket of a mesh whose directory has this name.
pub(crate) fn socket(runtime: &Path, name: &str) -> PathBuf {
    runtime.join(format!("{name}{SUFFIX}"))
}

/// Answers requests until the task is dropped.
pub(crate) async fn answer(listener: UnixListener, applications: Arc<Switchboard>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let exchange = exchange(stream, &applications);
            let _ = tokio::time::timeout(PATIENCE, exchange).await;
        }
    }
}

async fn exchange(mut stream: tokio::net::UnixStream, applications: &Switchboard) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    tokio::io::BufReader::new(reader.take(LONGEST)).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Request>(&line) {
        Err(error) => Answer::Refused(format!("not a request: {error}")),
        Ok(request) => match applications.set(&request.service, &request.cluster, request.behaviour) {
            Ok(instance) => Answer::Done(instance),
            Err(why) => Answer::Refused(why),
        },
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    writer.write_all(&bytes).await
}

/// Asks the running mesh: the one whose socket is given, or the only one that runs.
pub(crate) fn ask(runtime: &Path, given: Option<&Path>, request: &Request) -> Result<Answer, Failure> {
    let path = match given {
        Some(path) => path.to_path_buf(),
        None => only_one(runtime)?,
    };
    let none = || Failure::new("no mesh is running").help("start one with: meshc up mesh.mesh");
    let mut stream = UnixStream::connect(&path).map_err(|_| none())?;
    let doing = || format!("talk to the running mesh at `{}`", path.display());
    stream.set_read_timeout(Some(PATIENCE)).context(doing)?;
    let mut bytes = serde_json::to_vec(request).context(doing)?;
    bytes.push(b'\n');
    stream.write_all(&bytes).context(doing)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context(doing)?;
    serde_json::from_str(&line).context(doing)
}

/// The control socket of the only mesh that runs. Those of processes that were killed are passed over.
fn only_one(runtime: &Path) -> Result<PathBuf, Failure> {
    let entries = std::fs::read_dir(runtime).into_iter().flatten().flatten();
    let sockets = entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(SUFFIX));
    let mut alive: Vec<PathBuf> = sockets.filter(|path| UnixStream::connect(path).is_ok()).collect();
    alive.sort();
    match alive.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new("no mesh is running").help("start one with: meshc up mesh.mesh")),
        several => {
            let names: Vec<String> = several.iter().map(|path| format!("  {}", path.display())).collect();
            let message = format!("several meshes are running:\n{}", names.join("\n"));
            Err(Failure::new(message).help(format!("say which one with {VARIABLE}=PATH")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reaches_the_application() {
        let runtime = tempfile::tempdir().unwrap();
        let path = socket(runtime.path(), "7");
        let mut board = Switchboard::default();
        let instance = Instance { service: String::from("shop.web"), cluster: String::from("west") };
        let behaviour = board.follow(&instance);
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = {
            let _inside = executor.enter();
            UnixListener::bind(&path).unwrap()
        };
        let directory = runtime.path().to_path_buf();
        let asking = std::thread::spawn(move || {
            let request = |cluster: &str| Request {
                service: String::from("web"),
                cluster: cluster.to_owned(),
                behaviour: Behaviour::Gone,
            };
            let answers = [ask(&directory, None, &request("west")), ask(&directory, None, &request("north"))];
            answers.map(|answer| answer.unwrap())
        });
        let answers = executor.block_on(async {
            let serving = answer(listener, Arc::new(board));
            let asked = tokio::task::spawn_blocking(move || asking.join().unwrap());
            tokio::select! { () = serving => unreachable!(), answers = asked => answers.unwrap() }
        });
        let refusal = String::from("`web` does not run in `north`, only in `west`");
        assert_eq!(answers, [Answer::Done(instance), Answer::Refused(refusal)]);
        assert_eq!(*behaviour.borrow(), Behaviour::Gone);
    }

    #[test]
    fn without_a_mesh_it_says_how_to_start_one() {
        let runtime = tempfile::tempdir().unwrap();
        let request =
            Request { service: String::from("a"), cluster: String::from("b"), behaviour: Behaviour::Well };
        let failure = ask(runtime.path(), None, &request).unwrap_err();
        assert_eq!(failure.message, "no mesh is running");
        let path = runtime.path().join("gone");
        assert_eq!(ask(runtime.path(), Some(&path), &request).unwrap_err().message, "no mesh is running");
    }
}
