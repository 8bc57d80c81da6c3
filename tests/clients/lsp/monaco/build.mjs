// Bundles the page: `node build.mjs DIRECTORY-WITH-NODE-MODULES OUTPUT`.
import { createRequire } from 'node:module'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const [, , modules, out] = process.argv
const require = createRequire(path.join(path.resolve(modules), 'package.json'))
const esbuild = require('esbuild')
mkdirSync(out, { recursive: true })
// The page is bundled from beside the modules that it names.
copyFileSync(new URL('page.js', import.meta.url), path.join(modules, 'page.js'))
writeFileSync(path.join(modules, 'worker.js'), "import '@codingame/monaco-vscode-editor-api/esm/vs/editor/editor.worker.js'\n")
await esbuild.build({
  absWorkingDir: path.resolve(modules),
  entryPoints: ['page.js', 'worker.js'],
  outdir: path.resolve(out),
  bundle: true,
  format: 'esm',
  splitting: false,
  loader: { '.ttf': 'dataurl', '.svg': 'dataurl', '.png': 'dataurl', '.wasm': 'dataurl', '.mp3': 'dataurl', '.sh': 'text', '.html': 'text', '.json': 'json', '.code-snippets': 'json' },
  logLevel: 'error'
})
