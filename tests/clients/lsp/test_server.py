"""The language server, driven by pytest-lsp, a client that nobody here wrote. MESHC is the program, MESH a directory with the
mesh of `tests/suite/editors`."""

import asyncio
import os
import pathlib
import subprocess
import sys
import urllib.parse

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

ROOT = pathlib.Path(os.environ["MESH"])


def uri(name):
    return (ROOT / name).as_uri()


def text(name):
    return (ROOT / name).read_text()


def position(whole, marked, offset=0):
    """The position of a text in another one."""
    at = whole.index(marked) + offset
    line = whole.count("\n", 0, at)
    return types.Position(line=line, character=at - (whole.rfind("\n", 0, at) + 1))


@pytest_lsp.fixture(config=ClientServerConfig(server_command=[os.environ["MESHC"], "lsp"]))
async def client(lsp_client: LanguageClient):
    params = types.InitializeParams(
        capabilities=client_capabilities("visual-studio-code"),
        workspace_folders=[types.WorkspaceFolder(uri=ROOT.as_uri(), name="mesh")],
        root_uri=ROOT.as_uri(),
    )
    # Pushed, and not pulled, so that the client of pytest-lsp sees them.
    params.capabilities.text_document.diagnostic = None
    # It claims what it has no function for.
    params.capabilities.workspace.did_change_watched_files = None
    await lsp_client.initialize_session(params)
    for name in ["mesh.mesh", "shop.mesh"]:
        document = types.TextDocumentItem(uri=uri(name), language_id="mesh", version=1, text=text(name))
        lsp_client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))
    yield
    await lsp_client.shutdown_session()


def change(client, name, version, whole):
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            text_document=types.VersionedTextDocumentIdentifier(uri=uri(name), version=version),
            content_changes=[types.TextDocumentContentChangeWholeDocument(text=whole)],
        )
    )


def here(name, where):
    return {"text_document": types.TextDocumentIdentifier(uri=uri(name)), "position": where}


async def findings(client, name, wanted):
    """Waits until the findings of a file are as wanted."""
    while True:
        found = [each.code for each in client.diagnostics.get(uri(name), [])]
        if found == wanted:
            return
        await client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)


@pytest.mark.asyncio
async def test_findings_across_files(client: LanguageClient):
    broken = text("shop.mesh").replace("service cart", "service kart")
    change(client, "shop.mesh", 2, broken)
    await findings(client, "mesh.mesh", ["E0103"])
    change(client, "shop.mesh", 3, text("shop.mesh"))
    await findings(client, "mesh.mesh", [])


@pytest.mark.asyncio
async def test_completion_and_hover(client: LanguageClient):
    whole = text("mesh.mesh")
    where = position(whole, "[shop.cart]", 1)
    answer = await client.text_document_completion_async(types.CompletionParams(**here("mesh.mesh", where)))
    labels = [item.label for item in answer.items]
    assert "shop.cart" in labels, labels
    answer = await client.text_document_hover_async(types.HoverParams(**here("mesh.mesh", position(whole, "shop.cart", 6))))
    assert "service shop.cart" in answer.contents.value


@pytest.mark.asyncio
async def test_navigation(client: LanguageClient):
    whole = text("mesh.mesh")
    where = position(whole, "shop.cart", 6)
    (found,) = await client.text_document_definition_async(types.DefinitionParams(**here("mesh.mesh", where)))
    assert found.uri == uri("shop.mesh")
    context = types.ReferenceContext(include_declaration=True)
    found = await client.text_document_references_async(types.ReferenceParams(context=context, **here("mesh.mesh", where)))
    assert sorted(each.uri for each in found) == [uri("mesh.mesh"), uri("shop.mesh")]
    edit = await client.text_document_rename_async(types.RenameParams(new_name="basket", **here("mesh.mesh", where)))
    assert set(edit.changes) == {uri("mesh.mesh"), uri("shop.mesh")}
    found = await client.workspace_symbol_async(types.WorkspaceSymbolParams(query="cart"))
    assert [each.name for each in found][0] == "cart"


@pytest.mark.asyncio
async def test_the_whole_document(client: LanguageClient):
    document = types.TextDocumentIdentifier(uri=uri("mesh.mesh"))
    symbols = await client.text_document_document_symbol_async(types.DocumentSymbolParams(text_document=document))
    assert "front" in [each.name for each in symbols]
    tokens = await client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(text_document=document))
    assert len(tokens.data) % 5 == 0 and tokens.data
    folds = await client.text_document_folding_range_async(types.FoldingRangeParams(text_document=document))
    assert folds
    whole = types.Range(start=types.Position(0, 0), end=types.Position(999, 0))
    hints = await client.text_document_inlay_hint_async(types.InlayHintParams(text_document=document, range=whole))
    assert hints
    where = position(text("shop.mesh"), "service cart", 9)
    params = types.CallHierarchyPrepareParams(**here("shop.mesh", where))
    (item,) = await client.text_document_prepare_call_hierarchy_async(params)
    (call,) = await client.call_hierarchy_incoming_calls_async(types.CallHierarchyIncomingCallsParams(item=item))
    assert call.from_.name == "front.web"


@pytest.mark.asyncio
async def test_fixes_and_formatting(client: LanguageClient):
    wrong = text("shop.mesh").replace("clusters = [west]", "cluster = [west]").replace("  service", "service")
    change(client, "shop.mesh", 10, wrong)
    where = position(wrong, "cluster = [west]")
    params = types.CodeActionParams(
        text_document=types.TextDocumentIdentifier(uri=uri("shop.mesh")),
        range=types.Range(start=where, end=where),
        context=types.CodeActionContext(diagnostics=[]),
    )
    (action,) = await client.text_document_code_action_async(params)
    assert action.title == "write `clusters`", action
    options = types.FormattingOptions(tab_size=2, insert_spaces=True)
    edits = await client.text_document_formatting_async(
        types.DocumentFormattingParams(text_document=types.TextDocumentIdentifier(uri=uri("shop.mesh")), options=options)
    )
    assert edits
    change(client, "shop.mesh", 11, text("shop.mesh"))
    await findings(client, "shop.mesh", [])


async def lenses(client, name, title):
    document = types.TextDocumentIdentifier(uri=uri(name))
    found = await client.text_document_code_lens_async(types.CodeLensParams(text_document=document))
    return [each.command for each in found if each.command.title == title]


async def execute(client, command):
    params = types.ExecuteCommandParams(command=command.command, arguments=command.arguments)
    return await client.workspace_execute_command_async(params)


@pytest.mark.asyncio
async def test_a_lens_runs_a_test(client: LanguageClient):
    tested = text("mesh.mesh") + '\ntest "the cart" { allow = [front.web -> shop.cart] }\n'
    change(client, "mesh.mesh", 20, tested)
    (command,) = await lenses(client, "mesh.mesh", "run this test")
    result = await execute(client, command)
    assert (result["passed"], result["expectations"]) == (True, 1), result
    assert client.messages[-1].message == "passed: the cart"
    assert client.messages[-1].type == types.MessageType.Info
    change(client, "mesh.mesh", 21, tested.replace("allow = [front", "deny = [front"))
    result = await execute(client, command)
    assert [each["code"] for each in result["findings"]] == ["E0810"], result
    assert client.messages[-1].message.startswith("failed: the cart\n`front.web -> shop.cart` is not refused: ")
    assert client.messages[-1].type == types.MessageType.Error
    change(client, "mesh.mesh", 22, text("mesh.mesh"))
    await findings(client, "mesh.mesh", [])


@pytest.mark.asyncio
async def test_a_lens_opens_what_is_generated(client: LanguageClient):
    (command,) = await lenses(client, "shop.mesh", "generated files of shop.cart")
    await execute(client, command)
    assert "run meshc build" in client.messages[-1].message
    meshc = os.environ["MESHC"]
    subprocess.run([meshc, "build", "mesh.mesh", "-o", "out"], cwd=ROOT, check=True, capture_output=True)
    await execute(client, command)
    while not client.shown_documents:
        await asyncio.sleep(0.05)
    shown = pathlib.Path(urllib.parse.urlparse(client.shown_documents[-1].uri).path)
    assert shown.is_file() and "sidecars/shop/cart" in str(shown), shown


@pytest_lsp.fixture(config=ClientServerConfig(server_command=[os.environ["MESHC"], "lsp"]))
async def several(lsp_client: LanguageClient):
    """A client with two folders, each with a mesh of its own."""
    folders = []
    for name, expected in [("one", "allow"), ("two", "deny")]:
        folder = ROOT / name
        folder.mkdir(exist_ok=True)
        (folder / "shop.mesh").write_text(text("shop.mesh"))
        tested = f'\ntest "the cart in {name}" {{ {expected} = [front.web -> shop.cart] }}\n'
        (folder / "mesh.mesh").write_text(text("mesh.mesh") + tested)
        folders.append(types.WorkspaceFolder(uri=folder.as_uri(), name=name))
    params = types.InitializeParams(capabilities=client_capabilities("visual-studio-code"), workspace_folders=folders)
    params.capabilities.text_document.diagnostic = None
    params.capabilities.workspace.did_change_watched_files = None
    await lsp_client.initialize_session(params)
    for name in ["one/mesh.mesh", "two/mesh.mesh"]:
        document = types.TextDocumentItem(uri=uri(name), language_id="mesh", version=1, text=text(name))
        lsp_client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))
    yield
    await lsp_client.shutdown_session()


@pytest.mark.asyncio
async def test_several_folders_have_meshes_of_their_own(several: LanguageClient):
    passed = {}
    for name in ["one", "two"]:
        (command,) = await lenses(several, f"{name}/mesh.mesh", "run this test")
        assert list(command.arguments) == [str(ROOT / name / "mesh.mesh"), f"the cart in {name}"]
        passed[name] = (await execute(several, command))["passed"]
    assert passed == {"one": True, "two": False}
    change(several, "one/mesh.mesh", 2, text("one/mesh.mesh").replace("shop.cart]\n    port", "shop.kart]\n    port"))
    await findings(several, "one/mesh.mesh", ["E0103"])
    assert not several.diagnostics.get(uri("two/mesh.mesh"))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function", *sys.argv[1:]]))
