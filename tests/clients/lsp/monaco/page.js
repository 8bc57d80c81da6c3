// The page of the test: the editor core of VS Code with one document, and its language client over a WebSocket. What the test
// looks at is in `window.test`.
import * as monaco from '@codingame/monaco-vscode-editor-api'
import { LanguageClientWrapper } from 'monaco-languageclient/lcwrapper'
import { MonacoVscodeApiWrapper } from 'monaco-languageclient/vscodeApiWrapper'
import * as vscode from 'vscode'

async function start () {
  const { root, text } = await (await fetch('/mesh')).json()
  await new MonacoVscodeApiWrapper({
    $type: 'classic',
    viewsConfig: { $type: 'EditorService' },
    advanced: { enforceSemanticHighlighting: true },
    monacoWorkerFactory: () => {
      self.MonacoEnvironment = {
        ...self.MonacoEnvironment,
        getWorker: () => new Worker('/worker.js', { type: 'module' })
      }
    }
  }).start()
  monaco.languages.register({ id: 'mesh', extensions: ['.mesh'] })
  const uri = vscode.Uri.file(root + '/mesh.mesh')
  const model = monaco.editor.createModel(text, 'mesh', monaco.Uri.parse(uri.toString()))
  const editor = monaco.editor.create(document.getElementById('editor'), { model, 'semanticHighlighting.enabled': true })
  const client = new LanguageClientWrapper({
    languageId: 'mesh',
    connection: { options: { $type: 'WebSocketUrl', url: 'ws://' + location.host + '/lsp' } },
    clientOptions: {
      documentSelector: ['mesh'],
      workspaceFolder: { index: 0, name: 'mesh', uri: vscode.Uri.file(root) }
    }
  })
  await client.start()
  const place = (marked, into) => {
    const at = model.getValue().indexOf(marked)
    if (at < 0) throw new Error('there is no ' + marked)
    return model.getPositionAt(at + into)
  }
  window.test = {
    replace (before, after) {
      const start = place(before, 0)
      const end = place(before, before.length)
      const range = new monaco.Range(start.lineNumber, start.column, end.lineNumber, end.column)
      editor.executeEdits('test', [{ range, text: after }])
    },
    findings: () => monaco.editor.getModelMarkers({ resource: model.uri }).map(marker => String(marker.code?.value ?? marker.code)),
    suggest (marked, into) {
      editor.focus()
      editor.setPosition(place(marked, into))
      editor.trigger('test', 'editor.action.triggerSuggest', {})
    },
    suggested: () => [...document.querySelectorAll('.suggest-widget .monaco-list-row')].map(row => row.getAttribute('aria-label')),
    hover (marked, into) {
      editor.focus()
      editor.setPosition(place(marked, into))
      editor.trigger('test', 'editor.action.showHover', {})
    },
    hovered: () => [...document.querySelectorAll('.monaco-hover')].map(hover => hover.textContent).join('\n'),
    format: () => editor.getAction('editor.action.formatDocument').run(),
    text: () => model.getValue()
  }
}

start().catch(error => { window.failed = String(error.stack ?? error) })
