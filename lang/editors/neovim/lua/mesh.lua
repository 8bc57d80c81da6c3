-- Starts the language server for a buffer of a mesh: require('mesh').start(), or with the settings
-- { command = {...}, definitions = {'stage=test'}, values = {'/path/of/values.mesh'} }.
-- Works from Neovim 0.7 on, whose functions for this are older than `vim.lsp.start`.
local M = { client = nil }

local function root(buffer)
  local file = vim.api.nvim_buf_get_name(buffer)
  local entry = vim.fn.findfile('mesh.mesh', vim.fn.fnamemodify(file, ':p:h') .. ';')
  return vim.fn.fnamemodify(entry ~= '' and entry or file, ':p:h')
end

function M.start(settings)
  settings = settings or {}
  local buffer = vim.api.nvim_get_current_buf()
  if not (M.client and vim.lsp.get_client_by_id(M.client)) then
    M.client = vim.lsp.start_client({
      name = 'meshc',
      cmd = settings.command or { 'meshc', 'lsp' },
      root_dir = root(buffer),
      init_options = { definitions = settings.definitions, values = settings.values },
      on_attach = settings.on_attach,
    })
  end
  if M.client then
    vim.lsp.buf_attach_client(buffer, M.client)
  end
  return M.client
end

return M
