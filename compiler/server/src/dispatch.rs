//! Which function answers which request.

use std::path::PathBuf;

use ls_types::request::{
    CallHierarchyIncomingCalls, CallHierarchyOutgoingCalls, CallHierarchyPrepare, CodeActionRequest,
    CodeLensRequest, Completion, DocumentDiagnosticRequest, DocumentHighlightRequest, DocumentSymbolRequest,
    ExecuteCommand, FoldingRangeRequest, Formatting, GotoDefinition, HoverRequest, InlayHintRequest,
    PrepareRenameRequest, References, Rename, Request as _, SelectionRangeRequest, SemanticTokensFullRequest,
    SemanticTokensRangeRequest, ShowDocument, WorkspaceSymbolRequest,
};
use ls_types::{
    CallHierarchyItem, CompletionList, CompletionResponse, DocumentHighlight, DocumentHighlightKind,
    DocumentSymbolResponse, GotoDefinitionResponse, SemanticTokens, ShowDocumentParams,
    TextDocumentPositionParams, Uri,
};
use lsp_server::{ErrorCode, RequestId};
use serde::Serialize;
use serde_json::Value;

use crate::server::{Pull, Server, read};
use crate::text::Text;
use crate::view::View;
use crate::{
    actions, calls, complete, graph, hints, hover, names, rename, structure, symbols, testing, tokens, uri,
};

/// How much of a mesh an answer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// The document alone.
    Text,
    /// What is declared.
    Names,
    /// The model, as far as there is one.
    Model,
    /// Everything.
    Everything,
}

type Problem = (ErrorCode, String);

/// The answer to a request; nothing if it comes later.
pub(crate) fn answer(
    server: &mut Server,
    id: &RequestId,
    method: &str,
    params: Value,
) -> Result<Option<Value>, Problem> {
    match method {
        DocumentDiagnosticRequest::METHOD => {
            let params: ls_types::DocumentDiagnosticParams = read(params)?;
            let path = uri::to_path(&params.text_document.uri);
            server.pulls.push(Pull { id: id.clone(), path, previous: params.previous_result_id });
            Ok(None)
        }
        ExecuteCommand::METHOD => execute(server, read(params)?).map(Some),
        WorkspaceSymbolRequest::METHOD => {
            let params: ls_types::WorkspaceSymbolParams = read(params)?;
            let found = symbols::of_workspace(&server.world, &params.query);
            let flat: Vec<_> = found.into_iter().filter_map(symbols::flat).collect();
            value(flat).map(Some)
        }
        _ => about_document(server, method, params).map(Some),
    }
}

fn value(answer: impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(answer).map_err(|error| (ErrorCode::InternalError, error.to_string()))
}

/// Answers from a document in its mesh; `null` if there is no such document.
fn on<T: Serialize>(
    server: &mut Server,
    uri: &Uri,
    needs: Needs,
    answer: impl FnOnce(&View<'_>) -> T,
) -> Result<Value, Problem> {
    let path = uri::to_path(uri);
    let entry = match needs {
        Needs::Text => None,
        Needs::Names | Needs::Model | Needs::Everything => Some(entry_of(server, &path)),
    };
    if let Some(entry) = &entry {
        server.world.refresh(entry);
        let mesh = server.world.meshes.get_mut(entry);
        if let Some(analysis) = mesh.and_then(|mesh| mesh.analysis.as_mut()) {
            let lacks = |analysis: &meshc_driver::Analysis| match needs {
                Needs::Text | Needs::Names => false,
                Needs::Model => analysis.model.is_none(),
                Needs::Everything => true,
            };
            while lacks(analysis) && analysis.step() {}
        }
    }
    let world = &server.world;
    let closed: Text;
    let text = match world.documents.get(&path) {
        Some(document) => &document.text,
        None => match world.text(&path) {
            Some(text) => {
                closed = text;
                &closed
            }
            None => return Ok(Value::Null),
        },
    };
    let mesh = entry.as_ref().and_then(|entry| world.meshes.get(entry));
    value(answer(&View { world, path: &path, text, mesh }))
}

fn entry_of(server: &mut Server, path: &PathBuf) -> PathBuf {
    match server.entries.get(path) {
        Some(entry) => entry.clone(),
        None => server.world.entry_of(path),
    }
}

fn about_document(server: &mut Server, method: &str, params: Value) -> Result<Value, Problem> {
    let snippets = server.client.snippets;
    match method {
        Completion::METHOD => {
            let params: ls_types::CompletionParams = read(params)?;
            let TextDocumentPositionParams { text_document, position } = params.text_document_position;
            on(server, &text_document.uri, Needs::Names, |view| {
                let items = complete::complete(view, view.offset(position), snippets);
                CompletionResponse::List(CompletionList { is_incomplete: false, items })
            })
        }
        HoverRequest::METHOD => {
            let params: ls_types::HoverParams = read(params)?;
            let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
            on(server, &text_document.uri, Needs::Model, |view| hover::hover(view, view.offset(position)))
        }
        GotoDefinition::METHOD => {
            let params: ls_types::GotoDefinitionParams = read(params)?;
            let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
            on(server, &text_document.uri, Needs::Names, |view| definition(view, view.offset(position)))
        }
        References::METHOD => {
            let params: ls_types::ReferenceParams = read(params)?;
            let declared = params.context.include_declaration;
            let TextDocumentPositionParams { text_document, position } = params.text_document_position;
            on(server, &text_document.uri, Needs::Names, |view| {
                let (_, symbol) = names::at(view, view.offset(position))?;
                let sources = view.sources()?;
                let found = names::occurrences(view, &symbol).into_iter();
                let mut places: Vec<_> = found
                    .filter(|place| declared || !place.declares)
                    .filter_map(|place| view.world.location(sources, place.span))
                    .collect();
                places.dedup();
                Some(places)
            })
        }
        DocumentHighlightRequest::METHOD => {
            let params: ls_types::DocumentHighlightParams = read(params)?;
            let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
            on(server, &text_document.uri, Needs::Names, |view| {
                let (_, symbol) = names::at(view, view.offset(position))?;
                let file = view.file()?;
                let found = names::occurrences(view, &symbol).into_iter();
                let here = found.filter(|place| place.span.file == file);
                let highlights = here.map(|place| DocumentHighlight {
                    range: view.range(place.span),
                    kind: Some(match place.declares {
                        true => DocumentHighlightKind::WRITE,
                        false => DocumentHighlightKind::READ,
                    }),
                });
                Some(highlights.collect::<Vec<_>>())
            })
        }
        PrepareRenameRequest::METHOD => {
            let TextDocumentPositionParams { text_document, position } = read(params)?;
            let mut problem = None;
            let answer = on(server, &text_document.uri, Needs::Names, |view| {
                rename::prepare(view, view.offset(position)).unwrap_or_else(|why| {
                    problem = Some(why);
                    None
                })
            })?;
            problem.map_or(Ok(answer), |why| Err((ErrorCode::RequestFailed, why)))
        }
        Rename::METHOD => {
            let params: ls_types::RenameParams = read(params)?;
            let TextDocumentPositionParams { text_document, position } = params.text_document_position;
            let mut problem = None;
            let answer = on(server, &text_document.uri, Needs::Everything, |view| {
                rename::rename(view, view.offset(position), &params.new_name).unwrap_or_else(|why| {
                    problem = Some(why);
                    None
                })
            })?;
            problem.map_or(Ok(answer), |why| Err((ErrorCode::RequestFailed, why)))
        }
        CodeActionRequest::METHOD => {
            let params: ls_types::CodeActionParams = read(params)?;
            let uri = params.text_document.uri.clone();
            on(server, &uri, Needs::Everything, |view| actions::actions(view, &params))
        }
        CodeLensRequest::METHOD => {
            let params: ls_types::CodeLensParams = read(params)?;
            on(server, &params.text_document.uri, Needs::Names, hints::lenses)
        }
        InlayHintRequest::METHOD => {
            let params: ls_types::InlayHintParams = read(params)?;
            on(server, &params.text_document.uri, Needs::Everything, |view| {
                hints::hints(view, view.offset(params.range.start), view.offset(params.range.end))
            })
        }
        CallHierarchyPrepare::METHOD => {
            let params: ls_types::CallHierarchyPrepareParams = read(params)?;
            let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
            on(server, &text_document.uri, Needs::Model, |view| calls::prepare(view, view.offset(position)))
        }
        CallHierarchyIncomingCalls::METHOD => {
            let params: ls_types::CallHierarchyIncomingCallsParams = read(params)?;
            let name = name_of(&params.item);
            on(server, &params.item.uri, Needs::Model, |view| calls::incoming(view, &name))
        }
        CallHierarchyOutgoingCalls::METHOD => {
            let params: ls_types::CallHierarchyOutgoingCallsParams = read(params)?;
            let name = name_of(&params.item);
            on(server, &params.item.uri, Needs::Model, |view| calls::outgoing(view, &name))
        }
        "mesh/graph" => {
            let params: graph::Params = read(params)?;
            on(server, &params.text_document.uri, Needs::Model, graph::graph)
        }
        _ => about_text(server, method, params),
    }
}

/// What needs no more than a text, or is as well answered from one.
fn about_text(server: &mut Server, method: &str, params: Value) -> Result<Value, Problem> {
    let encoding = server.world.encoding;
    match method {
        DocumentSymbolRequest::METHOD => {
            let params: ls_types::DocumentSymbolParams = read(params)?;
            on(server, &params.text_document.uri, Needs::Text, |view| {
                DocumentSymbolResponse::Nested(symbols::of_document(view.text, encoding))
            })
        }
        Formatting::METHOD => {
            let params: ls_types::DocumentFormattingParams = read(params)?;
            on(server, &params.text_document.uri, Needs::Text, |view| {
                let mut sink = lang_diagnostics::Sink::default();
                let after = lang_syntax::format(crate::text::ALONE, &view.text.text, &mut sink)?;
                Some(view.text.edit_to(&after, encoding).into_iter().collect::<Vec<_>>())
            })
        }
        FoldingRangeRequest::METHOD => {
            let params: ls_types::FoldingRangeParams = read(params)?;
            let uri = params.text_document.uri;
            on(server, &uri, Needs::Text, |view| structure::folding(view.text, encoding))
        }
        SelectionRangeRequest::METHOD => {
            let params: ls_types::SelectionRangeParams = read(params)?;
            on(server, &params.text_document.uri, Needs::Text, |view| {
                let positions = params.positions.iter();
                let found = positions.map(|position| structure::selection(view.text, *position, encoding));
                found.collect::<Vec<_>>()
            })
        }
        SemanticTokensFullRequest::METHOD => {
            let params: ls_types::SemanticTokensParams = read(params)?;
            on(server, &params.text_document.uri, Needs::Names, |view| {
                let data = tokens::tokens(view, 0, view.text.text.len());
                SemanticTokens { result_id: None, data }
            })
        }
        SemanticTokensRangeRequest::METHOD => {
            let params: ls_types::SemanticTokensRangeParams = read(params)?;
            on(server, &params.text_document.uri, Needs::Names, |view| {
                let (start, end) = (view.offset(params.range.start), view.offset(params.range.end));
                SemanticTokens { result_id: None, data: tokens::tokens(view, start, end) }
            })
        }
        _ => Err((ErrorCode::MethodNotFound, format!("there is no request `{method}`"))),
    }
}

/// Where what is named at a place is declared.
fn definition(view: &View<'_>, offset: usize) -> Option<GotoDefinitionResponse> {
    let (_, symbol) = names::at(view, offset)?;
    let sources = view.sources()?;
    let places = names::declarations(view, &symbol).into_iter();
    let places = places.filter_map(|span| view.world.location(sources, span));
    Some(GotoDefinitionResponse::Array(places.collect()))
}

fn name_of(item: &CallHierarchyItem) -> String {
    let given = item.data.as_ref().and_then(Value::as_str);
    given.map_or_else(|| item.name.clone(), str::to_owned)
}

/// Runs a command of a lens.
fn execute(server: &mut Server, params: ls_types::ExecuteCommandParams) -> Result<Value, Problem> {
    let argument = |index: usize| params.arguments.get(index).and_then(Value::as_str).unwrap_or_default();
    match params.command.as_str() {
        hints::OPEN_GENERATED => open_generated(server, argument(0), argument(1)),
        hints::RUN_TEST => run_test(server, argument(0), argument(1)),
        other => Err((ErrorCode::InvalidParams, format!("there is no command `{other}`"))),
    }
}

fn open_generated(server: &mut Server, entry: &str, name: &str) -> Result<Value, Problem> {
    let found = hints::generated(&server.world, entry, name);
    match found.and_then(|path| uri::of_path(&path)) {
        Some(uri) => {
            let params = ShowDocumentParams { uri, external: None, take_focus: Some(true), selection: None };
            server.request(ShowDocument::METHOD, value(params)?);
        }
        None => {
            let message = format!("nothing is generated for `{name}` in `out` yet: run meshc build");
            server.notify("window/showMessage", serde_json::json!({ "type": 3, "message": message }));
        }
    }
    Ok(Value::Null)
}

/// Runs a test over the texts as they are in the editor, shows how it ended, and returns it.
fn run_test(server: &mut Server, entry: &str, name: &str) -> Result<Value, Problem> {
    let uri = uri::of_path(&PathBuf::from(entry));
    let uri = uri.ok_or_else(|| (ErrorCode::InvalidParams, format!("`{entry}` is no path")))?;
    let result = on(server, &uri, Needs::Everything, |view| testing::run(view, name))?;
    let (is_passed, message) = testing::shown(name, &result);
    let kind = if is_passed { 3 } else { 1 };
    server.notify("window/showMessage", serde_json::json!({ "type": kind, "message": message }));
    Ok(result)
}
