// The client of `meshc lsp`. It needs `vscode-languageclient` (npm install) and `meshc` on the path, or `mesh.server.path`.
'use strict'

const vscode = require('vscode')
const { LanguageClient, TransportKind } = require('vscode-languageclient/node')

let client

async function activate (context) {
  const settings = vscode.workspace.getConfiguration('mesh')
  const command = settings.get('server.path') || 'meshc'
  const options = () => {
    const now = vscode.workspace.getConfiguration('mesh')
    return { definitions: now.get('definitions') || [], values: now.get('values') || [] }
  }
  const run = { command, args: ['lsp'], transport: TransportKind.stdio }
  client = new LanguageClient('meshc', 'Mesh', { run, debug: run }, {
    documentSelector: [{ language: 'mesh' }],
    initializationOptions: options()
  })
  context.subscriptions.push(
    vscode.commands.registerCommand('mesh.restart', () => client.restart()),
    vscode.commands.registerCommand('mesh.graph', async () => {
      const editor = vscode.window.activeTextEditor
      if (!editor) return
      const uri = client.code2ProtocolConverter.asUri(editor.document.uri)
      const graph = await client.sendRequest('mesh/graph', { textDocument: { uri } })
      const content = JSON.stringify(graph, null, 2)
      vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: 'json', content }))
    }),
    vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('mesh')) {
        client.sendNotification('workspace/didChangeConfiguration', { settings: { meshc: options() } })
      }
    })
  )
  await client.start()
}

async function deactivate () {
  if (client) await client.stop()
}

module.exports = { activate, deactivate }
