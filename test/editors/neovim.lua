-- A person in Neovim: its own LSP client with `chronofork lsp`, a lens's
-- command, and what is to be seen. Prints one JSON object; test: neovim.test.ts.
local out = {}
local command = vim.fn.json_decode(vim.env.CF_LSP_COMMAND)
local id = vim.lsp.start_client({ name = 'chronofork', cmd = command, root_dir = vim.fn.getcwd() })
vim.cmd('edit ' .. vim.env.CF_SOURCE)
local buffer = vim.api.nvim_get_current_buf()
vim.lsp.buf_attach_client(buffer, id)
vim.wait(10000, function()
  local client = vim.lsp.get_client_by_id(id)
  return client ~= nil and client.initialized == true
end, 50)

local function ask(method, params)
  local answers = vim.lsp.buf_request_sync(buffer, method, params, 20000) or {}
  return (answers[id] or {}).result
end

local document = { uri = vim.uri_from_bufnr(buffer) }
local lenses = {}
vim.wait(30000, function()
  lenses = ask('textDocument/codeLens', { textDocument = document }) or {}
  return #lenses > 0
end, 200)
out.lenses = {}
for _, lens in ipairs(lenses) do table.insert(out.lenses, lens.command.title) end

for _, lens in ipairs(lenses) do
  if lens.command.title == 'last' then ask('workspace/executeCommand', lens.command) end
end
local hovered = { textDocument = document, position = vim.fn.json_decode(vim.env.CF_HOVER) }
vim.wait(20000, function()
  local hover = ask('textDocument/hover', hovered)
  if hover then out.hover = hover.contents.value end
  return out.hover ~= nil
end, 200)
vim.lsp.stop_client(id)
vim.wait(5000, function() return vim.lsp.client_is_stopped(id) end, 50)
io.stdout:write(vim.fn.json_encode(out))
vim.cmd('qall!')
