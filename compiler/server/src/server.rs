//! The state of the server, and the order of its work.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use ls_types::notification::{
    DidChangeConfiguration, DidChangeTextDocument, DidChangeWatchedFiles, DidChangeWorkspaceFolders,
    DidCloseTextDocument, DidOpenTextDocument, Notification as _, PublishDiagnostics,
};
use ls_types::request::{RegisterCapability, Request as _, WorkspaceDiagnosticRefresh};
use ls_types::{
    Diagnostic, DidChangeTextDocumentParams, DidChangeWatchedFilesParams,
    DidChangeWatchedFilesRegistrationOptions, DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, FileSystemWatcher, GlobPattern, InitializeParams, InitializeResult,
    PublishDiagnosticsParams, Registration, RegistrationParams, ServerInfo,
};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use meshc_driver::{Analysis, FileSystem};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::dispatch;
use crate::findings::{self, Told};
use crate::offers::{self, Client, Delivery};
use crate::text::Text;
use crate::uri;
use crate::world::{Document, Mesh, Settings, Untold, World};

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client asked for it, and said before that it would.
    Properly,
    /// The client ended it, or went away.
    Abruptly,
}

/// A request that was not answered yet.
struct Waiting {
    request: Request,
    /// The document that it is about, and the version that it was made for.
    document: Option<(PathBuf, i32)>,
}

/// A request for what is found in a document.
pub(crate) struct Pull {
    pub(crate) id: RequestId,
    pub(crate) path: PathBuf,
    /// The id of the list that the client has.
    pub(crate) previous: Option<String>,
}

/// The language server.
pub struct Server {
    pub(crate) world: World,
    pub(crate) client: Client,
    told: Told,
    /// The entry file of the mesh of each open document.
    pub(crate) entries: BTreeMap<PathBuf, PathBuf>,
    waiting: VecDeque<Waiting>,
    pub(crate) pulls: Vec<Pull>,
    /// What was pulled last of each document, with its id.
    pulled: BTreeMap<PathBuf, (u64, Vec<Diagnostic>)>,
    out: Vec<Message>,
    next_id: i32,
    lists: u64,
    stopping: bool,
    /// Whether open documents have to be given to meshes again.
    unassigned: bool,
}

/// Parameters of a message, if they have the form that the protocol says.
pub(crate) fn read<P: DeserializeOwned>(params: Value) -> Result<P, (ErrorCode, String)> {
    serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

impl Server {
    /// A server for a client that said who it is. The answer is the result of `initialize`.
    ///
    /// # Errors
    /// If the parameters are not those of `initialize`.
    pub fn new(
        params: Value,
        disk: Box<dyn FileSystem>,
        library: Option<PathBuf>,
        version: &str,
    ) -> Result<(Self, Value), String> {
        let params: InitializeParams = serde_json::from_value(params).map_err(|error| error.to_string())?;
        let client = Client::of(&params.capabilities);
        let settings = params.initialization_options.as_ref().map(settings).unwrap_or_default();
        let folders = params.workspace_folders.iter().flatten().map(|folder| uri::to_path(&folder.uri));
        #[expect(deprecated, reason = "clients that know no folders give one directory")]
        let root = params.root_uri.as_ref().map(uri::to_path);
        let mut roots: Vec<PathBuf> = folders.collect();
        if roots.is_empty() {
            roots.extend(root);
        }
        let result = InitializeResult {
            capabilities: offers::capabilities(client),
            server_info: Some(ServerInfo { name: String::from("meshc"), version: Some(version.to_owned()) }),
            offset_encoding: None,
        };
        let result = serde_json::to_value(result).map_err(|error| error.to_string())?;
        let server = Self {
            world: World {
                disk,
                library,
                encoding: client.encoding,
                roots,
                settings,
                documents: BTreeMap::new(),
                meshes: BTreeMap::new(),
                replaced: None,
            },
            client,
            told: Told::default(),
            entries: BTreeMap::new(),
            waiting: VecDeque::new(),
            pulls: Vec::new(),
            pulled: BTreeMap::new(),
            out: Vec::new(),
            next_id: 0,
            lists: 0,
            stopping: false,
            unassigned: false,
        };
        Ok((server, result))
    }

    /// What is to be sent to the client.
    pub fn outgoing(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.out)
    }

    /// To be called once the client is ready: asks to be told of files that change on the disk.
    pub fn ready(&mut self) {
        if !self.client.watches {
            return;
        }
        let watcher =
            FileSystemWatcher { glob_pattern: GlobPattern::String(String::from("**/*.mesh")), kind: None };
        let options = DidChangeWatchedFilesRegistrationOptions { watchers: vec![watcher] };
        let registration = Registration {
            id: String::from("meshes"),
            method: DidChangeWatchedFiles::METHOD.to_owned(),
            register_options: serde_json::to_value(options).ok(),
        };
        self.request(
            RegisterCapability::METHOD,
            serde_json::to_value(RegistrationParams { registrations: vec![registration] })
                .unwrap_or_default(),
        );
    }

    /// Takes a message. Changes of texts are applied at once; requests wait until [`work`](Self::work) answers them.
    pub fn take(&mut self, message: Message) -> Option<Ended> {
        match message {
            Message::Request(request) => self.take_request(request),
            Message::Notification(notification) => return self.notified(notification),
            // Nothing depends on what the client says to what it is asked.
            Message::Response(_) => {}
        }
        None
    }

    fn take_request(&mut self, request: Request) {
        if request.method == "shutdown" {
            self.stopping = true;
            return self.answer(Response::new_ok(request.id, Value::Null));
        }
        if self.stopping {
            let problem = String::from("the server was told to shut down");
            return self.answer(Response::new_err(request.id, ErrorCode::InvalidRequest as i32, problem));
        }
        let uri = request
            .params
            .pointer("/textDocument/uri")
            .and_then(|uri| serde_json::from_value(uri.clone()).ok());
        let document = uri.and_then(|uri| {
            let path = uri::to_path(&uri);
            self.world.documents.get(&path).map(|document| (path, document.version))
        });
        self.waiting.push_back(Waiting { request, document });
    }

    fn notified(&mut self, notification: Notification) -> Option<Ended> {
        let Notification { method, params } = notification;
        match method.as_str() {
            "exit" => return Some(if self.stopping { Ended::Properly } else { Ended::Abruptly }),
            "$/cancelRequest" => self.cancel(&params),
            DidOpenTextDocument::METHOD => {
                if let Ok(DidOpenTextDocumentParams { text_document }) = read(params) {
                    let path = uri::to_path(&text_document.uri);
                    let text = Text::new(text_document.text);
                    let document = Document { uri: text_document.uri, version: text_document.version, text };
                    self.world.documents.insert(path.clone(), document);
                    if self.client.delivery == Delivery::Pulled && self.told.forget(&path) {
                        self.publish(&path, Vec::new());
                    }
                    self.changed(&path);
                }
            }
            DidChangeTextDocument::METHOD => {
                if let Ok(DidChangeTextDocumentParams { text_document, content_changes }) = read(params) {
                    let path = uri::to_path(&text_document.uri);
                    if let Some(document) = self.world.documents.get_mut(&path) {
                        for change in &content_changes {
                            document.text = document.text.changed(change, self.world.encoding);
                        }
                        document.version = text_document.version;
                        self.changed(&path);
                    }
                }
            }
            DidCloseTextDocument::METHOD => {
                if let Ok(DidCloseTextDocumentParams { text_document }) = read(params) {
                    let path = uri::to_path(&text_document.uri);
                    self.world.documents.remove(&path);
                    self.pulled.remove(&path);
                    self.changed(&path);
                }
            }
            DidChangeWatchedFiles::METHOD => {
                if let Ok(DidChangeWatchedFilesParams { changes }) = read(params) {
                    for change in changes {
                        self.changed(&uri::to_path(&change.uri));
                    }
                    // A file that is new may be what was missing anywhere.
                    self.world.meshes.values_mut().for_each(|mesh| mesh.stale = true);
                }
            }
            DidChangeWorkspaceFolders::METHOD => {
                if let Ok(DidChangeWorkspaceFoldersParams { event }) = read(params) {
                    let removed: Vec<PathBuf> =
                        event.removed.iter().map(|folder| uri::to_path(&folder.uri)).collect();
                    self.world.roots.retain(|root| !removed.contains(root));
                    self.world.roots.extend(event.added.iter().map(|folder| uri::to_path(&folder.uri)));
                    self.unassigned = true;
                }
            }
            DidChangeConfiguration::METHOD => {
                if let Some(given) = params.pointer("/settings/meshc") {
                    self.world.settings = settings(given);
                    self.world.meshes.values_mut().for_each(|mesh| mesh.stale = true);
                }
            }
            _ => {}
        }
        None
    }

    fn cancel(&mut self, params: &Value) {
        let Some(id) = params.get("id") else { return };
        let same = |other: &RequestId| serde_json::to_value(other).is_ok_and(|other| other == *id);
        let mut ended = Vec::new();
        self.waiting.retain(|waiting| {
            let keep = !same(&waiting.request.id);
            if !keep {
                ended.push(waiting.request.id.clone());
            }
            keep
        });
        self.pulls.retain(|pull| {
            let keep = !same(&pull.id);
            if !keep {
                ended.push(pull.id.clone());
            }
            keep
        });
        for id in ended {
            let problem = String::from("cancelled by the client");
            self.answer(Response::new_err(id, ErrorCode::RequestCanceled as i32, problem));
        }
    }

    fn changed(&mut self, path: &Path) {
        self.world.changed(path);
        self.unassigned = true;
    }

    /// Does one piece of work: answers a request, or goes one step on with a check. Says whether there was any. A long step
    /// is left when `waiting` says that a message has come, which may make it useless.
    pub fn work(&mut self, waiting: &dyn Fn() -> bool) -> bool {
        if let Some(waiting) = self.waiting.pop_front() {
            self.handle(waiting);
            return true;
        }
        if self.unassigned {
            self.assign();
            return true;
        }
        let used: Vec<PathBuf> = self.entries.values().cloned().collect();
        for entry in &used {
            let Some(mesh) = self.world.meshes.get_mut(entry) else { continue };
            if mesh.stale {
                self.world.refresh(entry);
                self.unassigned = true;
                return true;
            }
            let (done, checked) = match &mesh.analysis {
                Some(analysis) => (analysis.is_done(), analysis.is_checked()),
                None => (true, true),
            };
            match mesh.untold {
                Untold::Everything | Untold::Rest(_) if done => return self.conclude(entry),
                Untold::Everything if checked => return self.anticipate(entry),
                Untold::Everything | Untold::Rest(_) | Untold::Nothing => {}
            }
            if let Some(analysis) = mesh.analysis.as_mut().filter(|_| !done) {
                analysis.step_unless(waiting);
                return true;
            }
        }
        self.answer_pulls(None) || self.world.clear()
    }

    /// Whether nobody waits for what is left to do: the last stages of checks of which everything else was told. Whoever runs
    /// the server does well to begin with that only once no message has come for a while: the next letter makes it useless.
    #[must_use]
    pub fn is_at_leisure(&self) -> bool {
        let is_urgent = |mesh: &Mesh| {
            mesh.stale
                || match mesh.untold {
                    Untold::Everything => true,
                    Untold::Rest(_) => mesh.late || mesh.analysis.as_ref().is_none_or(Analysis::is_done),
                    Untold::Nothing => false,
                }
        };
        let used = || self.entries.values().filter_map(|entry| self.world.meshes.get(entry));
        self.waiting.is_empty() && self.pulls.is_empty() && !self.unassigned && !used().any(is_urgent)
    }

    /// Tells what was found before the last stages, which take as long as all others, unless these found something before.
    fn anticipate(&mut self, entry: &Path) -> bool {
        let found = findings::of_mesh(&self.world, entry);
        let count = found.values().map(Vec::len).sum();
        let Some(mesh) = self.world.meshes.get_mut(entry) else { return true };
        mesh.untold = Untold::Rest(count);
        if !mesh.late {
            self.told.replace(entry, found);
            self.tell();
            self.answer_pulls(Some(entry));
        }
        true
    }

    /// Tells everything that was found.
    fn conclude(&mut self, entry: &Path) -> bool {
        let found = findings::of_mesh(&self.world, entry);
        let count: usize = found.values().map(Vec::len).sum();
        if let Some(mesh) = self.world.meshes.get_mut(entry) {
            mesh.late = matches!(mesh.untold, Untold::Rest(before) if before != count);
            mesh.untold = Untold::Nothing;
        }
        self.told.replace(entry, found);
        self.tell();
        true
    }

    /// Gives each open document to the mesh that uses it, and forgets meshes that none is part of.
    pub(crate) fn assign(&mut self) {
        self.unassigned = false;
        let documents: Vec<PathBuf> = self.world.documents.keys().cloned().collect();
        self.entries.clear();
        for path in documents {
            if self.world.is_standard(&path) {
                continue;
            }
            let entry = self.world.entry_of(&path);
            self.world.refresh(&entry);
            self.entries.insert(path, entry);
        }
        let used: Vec<&PathBuf> = self.entries.values().collect();
        let mut forgotten = Vec::new();
        for (entry, mesh) in &mut self.world.meshes {
            if used.contains(&entry) {
                // It was read only to see what it uses.
                mesh.stale |= mesh.analysis.is_none() && !mesh.unreadable;
            } else {
                mesh.analysis = None;
                forgotten.push(entry.clone());
            }
        }
        for entry in forgotten {
            self.told.replace(&entry, BTreeMap::new());
        }
        self.tell();
    }

    fn handle(&mut self, waiting: Waiting) {
        let Waiting { request, document } = waiting;
        let Request { id, method, params } = request;
        let changed = document.is_some_and(|(path, version)| {
            self.world.documents.get(&path).is_none_or(|document| document.version != version)
        });
        if changed && method != "textDocument/diagnostic" {
            let problem = String::from("the text changed");
            return self.answer(Response::new_err(id, ErrorCode::ContentModified as i32, problem));
        }
        match dispatch::answer(self, &id, &method, params) {
            Ok(Some(value)) => self.answer(Response::new_ok(id, value)),
            // It is answered when everything was checked.
            Ok(None) => {}
            Err((code, problem)) => self.answer(Response::new_err(id, code as i32, problem)),
        }
    }

    /// Tells the client what changed of what is found.
    fn tell(&mut self) {
        let mut ask_again = false;
        for (path, found) in self.told.news() {
            let is_open = self.world.documents.contains_key(&path);
            if is_open && self.client.delivery == Delivery::Pulled {
                let asked = self.pulls.iter().any(|pull| pull.path == path);
                let known = self.pulled.get(&path).is_some_and(|(_, list)| *list == found);
                ask_again |= !asked && !known && self.pulled.contains_key(&path);
            } else {
                self.publish(&path, found);
            }
        }
        if ask_again {
            self.request(WorkspaceDiagnosticRefresh::METHOD, Value::Null);
        }
    }

    fn publish(&mut self, path: &Path, diagnostics: Vec<Diagnostic>) {
        let document = self.world.documents.get(path);
        let version = document.map(|document| document.version);
        let Some(uri) = document.map(|document| document.uri.clone()).or_else(|| uri::of_path(path)) else {
            return;
        };
        let params = PublishDiagnosticsParams { uri, diagnostics, version };
        self.out.push(Notification::new(PublishDiagnostics::METHOD.to_owned(), params).into());
    }

    /// Answers who asked for findings: all, or those about one mesh.
    fn answer_pulls(&mut self, entry: Option<&Path>) -> bool {
        let of_mesh = |pull: &Pull| {
            entry.is_none_or(|entry| self.entries.get(&pull.path).is_some_and(|other| other == entry))
        };
        let (now, later): (Vec<Pull>, Vec<Pull>) =
            std::mem::take(&mut self.pulls).into_iter().partition(of_mesh);
        self.pulls = later;
        if now.is_empty() {
            return false;
        }
        for Pull { id, path, previous } in now {
            let found = self.told.of_file(&path);
            let list = match self.pulled.get(&path) {
                Some((list, known)) if *known == found => *list,
                _ => {
                    self.lists += 1;
                    self.lists
                }
            };
            self.pulled.insert(path, (list, found.clone()));
            let same = previous.is_some_and(|previous| previous == list.to_string());
            let report = if same {
                serde_json::json!({ "kind": "unchanged", "resultId": list.to_string() })
            } else {
                serde_json::json!({ "kind": "full", "resultId": list.to_string(), "items": found })
            };
            self.answer(Response::new_ok(id, report));
        }
        true
    }

    pub(crate) fn answer(&mut self, response: Response) {
        self.out.push(response.into());
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.out.push(Notification { method: method.to_owned(), params }.into());
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) {
        self.next_id += 1;
        let id = RequestId::from(format!("meshc-{}", self.next_id));
        self.out.push(Request { id, method: method.to_owned(), params }.into());
    }
}

/// What a user sets: `definitions` is a list of `name=value`, `values` one of files.
fn settings(given: &Value) -> Settings {
    let list = |key: &str| -> Vec<String> {
        let values = given.get(key).and_then(Value::as_array).into_iter().flatten();
        values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    Settings {
        definitions: list("definitions"),
        values: list("values").into_iter().map(PathBuf::from).collect(),
    }
}
