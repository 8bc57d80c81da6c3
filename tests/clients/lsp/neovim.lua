-- Drives the language server from Neovim without a window: nvim --headless -u NONE -l is younger than Debian's Neovim, so this is
-- run by `nvim --headless -u NONE -c 'luafile …'`. MESHC is the program, MESH the directory of the mesh, EDITORS that of lang/editors/neovim.
local meshc, mesh, editors = os.getenv('MESHC'), os.getenv('MESH'), os.getenv('EDITORS')

local function fail(message)
  io.stderr:write(message .. '\n')
  vim.cmd('cquit 1')
end

local function wait(what, condition)
  if not vim.wait(60000, condition, 20) then
    fail('it never came: ' .. what)
  end
end

local function codes(buffer)
  local found = {}
  for _, each in ipairs(vim.diagnostic.get(buffer)) do
    table.insert(found, (each.user_data and each.user_data.lsp and each.user_data.lsp.code) or each.code or '?')
  end
  return table.concat(found, ',')
end

local ok, problem = pcall(function()
  vim.opt.runtimepath:prepend(editors)
  vim.cmd('filetype plugin on')
  vim.cmd('syntax on')
  vim.cmd('edit ' .. mesh .. '/mesh.mesh')
  local buffer = vim.api.nvim_get_current_buf()
  if vim.bo.filetype ~= 'mesh' then fail('the type of the file is ' .. vim.bo.filetype) end
  local id = require('mesh').start({ command = { meshc, 'lsp' } })
  wait('the server', function()
    local client = vim.lsp.get_client_by_id(id)
    return client and client.initialized
  end)
  -- A mistake is shown, and goes.
  local line = vim.fn.search('calls ')
  local before = vim.fn.getline(line)
  vim.fn.setline(line, (before:gsub('shop.cart', 'shop.kart')))
  wait('E0103', function() return codes(buffer) == 'E0103' end)
  vim.fn.setline(line, before)
  wait('no finding', function() return codes(buffer) == '' end)
  -- What Neovim asks for by itself.
  vim.fn.cursor(line, before:find('shop.cart') + 6)
  local function ask(method, params)
    local answers = vim.lsp.buf_request_sync(buffer, method, params or vim.lsp.util.make_position_params(), 60000)
    local answer = answers and answers[id]
    if not answer or answer.err or answer.error then fail(method .. ': ' .. vim.inspect(answers)) end
    return answer.result
  end
  local hover = ask('textDocument/hover')
  if not hover.contents.value:find('service shop.cart', 1, true) then fail(vim.inspect(hover)) end
  local definition = ask('textDocument/definition')
  if not definition[1].uri:find('shop.mesh', 1, true) then fail(vim.inspect(definition)) end
  -- Formatting by the editor's own function changes the buffer back.
  vim.fn.setline(line, '   ' .. before)
  if vim.lsp.buf.format then vim.lsp.buf.format({ async = false, timeout_ms = 60000 }) else vim.lsp.buf.formatting_sync(nil, 60000) end
  if vim.fn.getline(line) ~= before then fail('formatted: ' .. vim.fn.getline(line)) end
  -- Renaming changes both files.
  vim.fn.cursor(line, before:find('shop.cart') + 6)
  vim.lsp.buf.rename('basket')
  wait('the new name', function() return vim.fn.getline(line):find('shop.basket', 1, true) ~= nil end)
  local other = vim.fn.bufnr(mesh .. '/shop.mesh')
  local text = table.concat(vim.api.nvim_buf_get_lines(other, 0, -1, false), '\n')
  if not text:find('service basket', 1, true) then fail(text) end
end)
if not ok then fail(tostring(problem)) end
print('ok')
vim.cmd('qall!')
