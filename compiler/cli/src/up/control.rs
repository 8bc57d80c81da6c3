//! The control socket of a running mesh: one line of JSON in, one line of JSON out.
//!
//! The socket lies in a directory that belongs to the user alone, named by the process that made it, so that
//! `meshc fail` in another terminal finds the mesh without being told where it is. Where several run, each is asked what
//! it is, and the one that has the service is meant.

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
#[serde(rename_all = "lowercase")]
enum Question {
    /// What it is.
    Describe,
    /// That an application behaves differently from now on.
    Set(Request),
}

/// How an application is to behave from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// `namespace.service`, or only `service`.
    pub(crate) service: String,
    /// The cluster.
    pub(crate) cluster: String,
    /// The behaviour.
    pub(crate) behaviour: Behaviour,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// Which applications they were: one, or those of all subsets of a service.
    Done(Vec<Instance>),
    /// Why not.
    Refused(String),
    /// What the mesh is.
    Mesh(Description),
}

/// What distinguishes a running mesh from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// Its entry file, as an absolute path.
    pub(crate) file: String,
    /// What carries it: `envoy`, `meshd`, or both.
    pub(crate) data_plane: String,
    /// Its applications.
    pub(crate) instances: Vec<Instance>,
}

/// The control socket of a mesh whose directory has this name.
pub(crate) fn socket(runtime: &Path, name: &str) -> PathBuf {
    runtime.join(format!("{name}{SUFFIX}"))
}

/// Answers requests until the task is dropped.
pub(crate) async fn answer(listener: UnixListener, applications: Arc<Switchboard>, description: Description) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let exchange = exchange(stream, &applications, &description);
            let _ = tokio::time::timeout(PATIENCE, exchange).await;
        }
    }
}

async fn exchange(
    mut stream: tokio::net::UnixStream,
    applications: &Switchboard,
    description: &Description,
) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    tokio::io::BufReader::new(reader.take(LONGEST)).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Question>(&line) {
        Err(error) => Answer::Refused(format!("not a request: {error}")),
        Ok(Question::Describe) => Answer::Mesh(description.clone()),
        Ok(Question::Set(request)) => {
            match applications.set(&request.service, &request.cluster, request.behaviour) {
                Ok(instances) => Answer::Done(instances),
                Err(why) => Answer::Refused(why),
            }
        }
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    writer.write_all(&bytes).await
}

/// Asks the running mesh: the one whose socket is given, the only one that runs, or the only one that has the service.
pub(crate) fn ask(runtime: &Path, given: Option<&Path>, request: &Request) -> Result<Answer, Failure> {
    let path = match given {
        Some(path) => path.to_path_buf(),
        None => the_one_meant(runtime, request)?,
    };
    question(&path, &Question::Set(request.clone()))
}

fn question(path: &Path, question: &Question) -> Result<Answer, Failure> {
    let none = || Failure::new("no mesh is running").help("start one with: meshc up mesh.mesh");
    let mut stream = UnixStream::connect(path).map_err(|_| none())?;
    let doing = || format!("talk to the running mesh at `{}`", path.display());
    stream.set_read_timeout(Some(PATIENCE)).context(doing)?;
    let mut bytes = serde_json::to_vec(question).context(doing)?;
    bytes.push(b'\n');
    stream.write_all(&bytes).context(doing)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context(doing)?;
    serde_json::from_str(&line).context(doing)
}

/// The control socket of the mesh that is meant. Those of processes that were killed are passed over.
fn the_one_meant(runtime: &Path, request: &Request) -> Result<PathBuf, Failure> {
    let entries = std::fs::read_dir(runtime).into_iter().flatten().flatten();
    let sockets = entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(SUFFIX));
    let mut alive: Vec<PathBuf> = sockets.filter(|path| UnixStream::connect(path).is_ok()).collect();
    alive.sort();
    match alive.as_slice() {
        [] => return Err(Failure::new("no mesh is running").help("start one with: meshc up mesh.mesh")),
        [one] => return Ok(one.clone()),
        _ => {}
    }
    let meshes: Vec<(PathBuf, Option<Description>)> = alive
        .into_iter()
        .map(|path| match question(&path, &Question::Describe) {
            Ok(Answer::Mesh(description)) => (path, Some(description)),
            // It ended just now, or is of another version of meshc.
            Ok(Answer::Done(_) | Answer::Refused(_)) | Err(_) => (path, None),
        })
        .collect();
    let has = |mesh: &&(PathBuf, Option<Description>)| {
        let instances = mesh.1.iter().flat_map(|description| &description.instances);
        instances.into_iter().any(|one| one.cluster == request.cluster && one.is_called(&request.service))
    };
    let having: Vec<&(PathBuf, Option<Description>)> = meshes.iter().filter(has).collect();
    let (service, cluster) = (&request.service, &request.cluster);
    match having.as_slice() {
        [one] => Ok(one.0.clone()),
        [] => {
            let list = list(meshes.iter());
            Err(Failure::new(format!("no running mesh has `{service}` in `{cluster}`; there are:\n{list}")))
        }
        several => {
            let list = list(several.iter().copied());
            Err(Failure::new(format!("several running meshes have `{service}` in `{cluster}`:\n{list}"))
                .help(format!("say which one with {VARIABLE}=SOCKET")))
        }
    }
}

/// Meshes by what people know them by: file, data plane, and the socket that distinguishes even two of one file.
fn list<'a>(meshes: impl Iterator<Item = &'a (PathBuf, Option<Description>)>) -> String {
    let line = |(socket, description): &(PathBuf, Option<Description>)| {
        let socket = socket.display();
        match description {
            Some(Description { file, data_plane, .. }) => format!("  {file} on {data_plane}: {socket}"),
            None => format!("  a mesh that does not say what it is: {socket}"),
        }
    };
    meshes.map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::watch;

    /// A running mesh with these applications, and what its first one does.
    fn mesh(runtime: &Path, name: &str, instances: &[(&str, &str)]) -> (PathBuf, watch::Receiver<Behaviour>) {
        let path = socket(runtime, name);
        let mut board = Switchboard::default();
        let instance = |(service, cluster): &(&str, &str)| Instance {
            service: (*service).to_owned(),
            cluster: (*cluster).to_owned(),
        };
        let instances: Vec<Instance> = instances.iter().map(instance).collect();
        let behaviour = board.follow(&instances[0]);
        instances.iter().for_each(|instance| drop(board.follow(instance)));
        let description = Description {
            file: format!("/somewhere/{name}.mesh"),
            data_plane: String::from("meshd"),
            instances,
        };
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            executor.block_on(async {
                answer(UnixListener::from_std(listener).unwrap(), Arc::new(board), description).await;
            });
        });
        (path, behaviour)
    }

    fn request(service: &str, cluster: &str) -> Request {
        Request { service: service.to_owned(), cluster: cluster.to_owned(), behaviour: Behaviour::Gone }
    }

    #[test]
    fn a_request_reaches_the_application() {
        let runtime = tempfile::tempdir().unwrap();
        let (_, behaviour) = mesh(runtime.path(), "7", &[("shop.web", "west")]);
        let ask = |cluster: &str| ask(runtime.path(), None, &request("web", cluster)).unwrap();
        let instance = Instance { service: String::from("shop.web"), cluster: String::from("west") };
        assert_eq!(ask("west"), Answer::Done(vec![instance]));
        assert_eq!(*behaviour.borrow(), Behaviour::Gone);
        assert_eq!(
            ask("north"),
            Answer::Refused(String::from("`web` does not run in `north`, only in `west`"))
        );
    }

    #[test]
    fn of_several_meshes_the_one_that_has_the_service_is_meant() {
        let runtime = tempfile::tempdir().unwrap();
        let (first, one) = mesh(runtime.path(), "1", &[("shop.web", "west"), ("shop.db", "west")]);
        let (second, other) = mesh(runtime.path(), "2", &[("shop.cart", "west"), ("shop.web", "west")]);
        let ask = |given: Option<&Path>, service: &str, cluster: &str| {
            ask(runtime.path(), given, &request(service, cluster))
        };
        assert!(matches!(ask(None, "cart", "west").unwrap(), Answer::Done(_)));
        assert_eq!((*one.borrow(), *other.borrow()), (Behaviour::Well, Behaviour::Gone));
        let listed = format!(
            "  /somewhere/1.mesh on meshd: {}\n  /somewhere/2.mesh on meshd: {}",
            first.display(),
            second.display()
        );
        let failure = ask(None, "web", "west").unwrap_err();
        assert_eq!(failure.message, format!("several running meshes have `web` in `west`:\n{listed}"));
        assert_eq!(failure.help.unwrap(), "say which one with MESH_CONTROL=SOCKET");
        assert!(matches!(ask(Some(&first), "web", "west").unwrap(), Answer::Done(_)));
        assert_eq!(*one.borrow(), Behaviour::Gone);
        let failure = ask(None, "web", "east").unwrap_err();
        assert_eq!(failure.message, format!("no running mesh has `web` in `east`; there are:\n{listed}"));
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
