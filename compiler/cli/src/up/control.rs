//! The control socket of a running mesh: one line of JSON in, one line of JSON out.
//!
//! The socket lies in a directory that belongs to the user alone, named by the process that made it, so that
//! `meshc fail` in another terminal finds the mesh without being told where it is. Where several run, each is asked what
//! it is, and the one that has the service is meant.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::places::Places;
use super::stand_in::{Behaviour, Instance, Switchboard};
use crate::exit::{Context, Failure};

/// The longest request that is read, in bytes.
const LONGEST: u64 = 1 << 20;
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
    /// Where everything is.
    Places,
    /// That applications behave differently as long as the connection stays open: whoever asks this may be ended at any time.
    Hold(Vec<Request>),
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
    /// Where everything is.
    Places(Box<Places>),
}

/// What a running mesh tells whoever asks.
#[derive(Debug)]
pub(crate) struct Told {
    /// What it is.
    pub(crate) description: Description,
    /// Where everything is; this changes with the text of the mesh.
    pub(crate) places: Mutex<Places>,
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
pub(crate) async fn answer(listener: UnixListener, applications: Arc<Switchboard>, told: Arc<Told>) {
    let mut talks = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let (applications, told) = (Arc::clone(&applications), Arc::clone(&told));
            talks.spawn(async move { talk(stream, &applications, &told).await });
        }
        while talks.try_join_next().is_some() {}
    }
}

/// Answers one question, and takes back what holds only as long as the other side is there.
async fn talk(mut stream: tokio::net::UnixStream, applications: &Switchboard, told: &Told) {
    let exchange = exchange(&mut stream, applications, told);
    let Ok(Ok(held)) = tokio::time::timeout(PATIENCE, exchange).await else { return };
    if held.is_empty() {
        return;
    }
    // Nothing more is said: this ends when the other side does, whatever ends it.
    let _ = stream.read_u8().await;
    for Request { service, cluster, behaviour: _ } in held {
        let _ = applications.set(&service, &cluster, Behaviour::Well);
    }
}

/// One question and its answer; returns what is to be taken back at the end.
async fn exchange(
    stream: &mut tokio::net::UnixStream,
    applications: &Switchboard,
    told: &Told,
) -> io::Result<Vec<Request>> {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    tokio::io::BufReader::new(reader.take(LONGEST)).read_line(&mut line).await?;
    let mut held = Vec::new();
    let answer = match serde_json::from_str::<Question>(&line) {
        Err(error) => Answer::Refused(format!("not a request: {error}")),
        Ok(Question::Describe) => Answer::Mesh(told.description.clone()),
        Ok(Question::Places) => {
            let mut places = told.places.lock().unwrap_or_else(PoisonError::into_inner).clone();
            places.failing = applications.failing();
            Answer::Places(Box::new(places))
        }
        Ok(Question::Hold(requests)) => {
            let mut all = Vec::new();
            let mut refused = None;
            for request in requests {
                match applications.set(&request.service, &request.cluster, request.behaviour) {
                    Ok(instances) => {
                        all.extend(instances);
                        held.push(request);
                    }
                    Err(why) => refused = Some(why),
                }
            }
            refused.map_or(Answer::Done(all), Answer::Refused)
        }
        Ok(Question::Set(request)) => {
            match applications.set(&request.service, &request.cluster, request.behaviour) {
                Ok(instances) => Answer::Done(instances),
                Err(why) => Answer::Refused(why),
            }
        }
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    writer.write_all(&bytes).await?;
    Ok(held)
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
    open(path, question).map(|(answer, _)| answer)
}

/// Asks, and keeps the connection.
fn open(path: &Path, question: &Question) -> Result<(Answer, UnixStream), Failure> {
    let none = || Failure::new("no mesh is running").help("start one with: meshc up mesh.mesh");
    let stream = UnixStream::connect(path).map_err(|_| none())?;
    let doing = || format!("talk to the running mesh at `{}`", path.display());
    stream.set_read_timeout(Some(PATIENCE)).context(doing)?;
    let mut bytes = serde_json::to_vec(question).context(doing)?;
    bytes.push(b'\n');
    (&stream).write_all(&bytes).context(doing)?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).context(doing)?;
    Ok((serde_json::from_str(&line).context(doing)?, stream))
}

/// Where everything of the mesh is that has this control socket.
pub(crate) fn places(path: &Path) -> Result<Places, Failure> {
    match question(path, &Question::Places)? {
        Answer::Places(places) => Ok(*places),
        Answer::Refused(_) | Answer::Done(_) | Answer::Mesh(_) => Err(another_version()),
    }
}

fn another_version() -> Failure {
    Failure::new("the running mesh was started by another version of meshc").help("end it and start it again")
}

/// Applications that behave differently as long as this is there.
#[derive(Debug)]
pub(crate) struct Held {
    _connection: UnixStream,
}

/// Makes applications behave differently for a while.
pub(crate) fn hold(path: &Path, requests: Vec<Request>) -> Result<Held, Failure> {
    match open(path, &Question::Hold(requests))? {
        (Answer::Done(_), stream) => Ok(Held { _connection: stream }),
        (Answer::Refused(why), _) => Err(Failure::new(why)),
        (Answer::Places(_) | Answer::Mesh(_), _) => Err(another_version()),
    }
}

/// The control socket of the running mesh of a file, or the one that is given.
pub(crate) fn of_file(runtime: &Path, given: Option<&Path>, file: &Path) -> Result<PathBuf, Failure> {
    let path = file.display();
    let start = format!("start it with: meshc up {path}");
    if let Some(given) = given {
        if UnixStream::connect(given).is_err() {
            let message = format!("no mesh is running at `{}`", given.display());
            return Err(Failure::new(message).help(format!("unset {VARIABLE}, and {start}")));
        }
        return Ok(given.to_path_buf());
    }
    let meshes = described(alive(runtime));
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    let of = |mesh: &&(PathBuf, Option<Description>)| {
        mesh.1.as_ref().is_some_and(|description| is_same(Path::new(&description.file), &whole))
    };
    let of: Vec<_> = meshes.iter().filter(of).collect();
    match of.as_slice() {
        [one] => Ok(one.0.clone()),
        [] if meshes.is_empty() => Err(Failure::new("no mesh is running").help(start)),
        [] => {
            let list = list(meshes.iter());
            Err(Failure::new(format!("`{path}` is not running; there are:\n{list}")).help(start))
        }
        several => {
            let list = list(several.iter().copied());
            Err(Failure::new(format!("`{path}` is running several times:\n{list}"))
                .help(format!("say which one with {VARIABLE}=SOCKET")))
        }
    }
}

/// Whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((std::fs::canonicalize(one), std::fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// The control sockets that somebody listens at. Those of processes that were killed are passed over.
fn alive(runtime: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(runtime).into_iter().flatten().flatten();
    let sockets = entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(SUFFIX));
    let mut alive: Vec<PathBuf> = sockets.filter(|path| UnixStream::connect(path).is_ok()).collect();
    alive.sort();
    alive
}

/// What each of them is.
fn described(sockets: Vec<PathBuf>) -> Vec<(PathBuf, Option<Description>)> {
    let describe = |path: PathBuf| match question(&path, &Question::Describe) {
        Ok(Answer::Mesh(description)) => (path, Some(description)),
        // It ended just now, or is of another version of meshc.
        Ok(Answer::Done(_) | Answer::Refused(_) | Answer::Places(_)) | Err(_) => (path, None),
    };
    sockets.into_iter().map(describe).collect()
}

/// The control socket of the mesh that is meant.
fn the_one_meant(runtime: &Path, request: &Request) -> Result<PathBuf, Failure> {
    let alive = alive(runtime);
    match alive.as_slice() {
        [] => return Err(Failure::new("no mesh is running").help("start one with: meshc up mesh.mesh")),
        [one] => return Ok(one.clone()),
        _ => {}
    }
    let meshes = described(alive);
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
                let told = Told { description, places: Mutex::new(nowhere()) };
                answer(UnixListener::from_std(listener).unwrap(), Arc::new(board), Arc::new(told)).await;
            });
        });
        (path, behaviour)
    }

    fn nowhere() -> Places {
        Places {
            plan: String::from("a plan"),
            data_plane: None,
            processes: false,
            gateways: Vec::new(),
            calls: Vec::new(),
            proxies: Vec::new(),
            failing: Vec::new(),
        }
    }

    #[test]
    fn what_is_held_ends_with_whoever_holds_it() {
        let runtime = tempfile::tempdir().unwrap();
        let (path, mut behaviour) = mesh(runtime.path(), "7", &[("shop.web", "west")]);
        let held = hold(&path, vec![request("shop.web", "west")]).unwrap();
        assert_eq!(*behaviour.borrow_and_update(), Behaviour::Gone);
        let failing = places(&path).unwrap().failing;
        assert_eq!(failing.len(), 1, "others are answered meanwhile: {failing:?}");
        drop(held);
        while *behaviour.borrow_and_update() != Behaviour::Well {
            std::thread::yield_now();
        }
        assert_eq!(
            hold(&path, vec![request("shop.db", "west")]).unwrap_err().message,
            "no application of a service `shop.db` runs here; there are `shop.web`"
        );
    }

    #[test]
    fn a_mesh_is_found_by_its_file() {
        let runtime = tempfile::tempdir().unwrap();
        let file = Path::new("/somewhere/1.mesh");
        let found = of_file(runtime.path(), None, file).unwrap_err();
        assert_eq!(
            (found.message.as_str(), found.help.as_deref()),
            ("no mesh is running", Some("start it with: meshc up /somewhere/1.mesh"))
        );
        let (first, _one) = mesh(runtime.path(), "1", &[("shop.web", "west")]);
        let (second, _other) = mesh(runtime.path(), "2", &[("shop.web", "west")]);
        assert_eq!(of_file(runtime.path(), None, file).unwrap(), first);
        assert_eq!(of_file(runtime.path(), Some(&second), file).unwrap(), second);
        let found = of_file(runtime.path(), None, Path::new("/somewhere/3.mesh")).unwrap_err();
        assert!(
            found.message.starts_with(
                "`/somewhere/3.mesh` is not running; there are:\n  /somewhere/1.mesh on meshd: "
            ),
            "{}",
            found.message
        );
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
