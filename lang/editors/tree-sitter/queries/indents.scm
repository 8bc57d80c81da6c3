; Neovim's indentation.

[(body) (record) (list) (selection)] @indent.begin
["}" "]" ")"] @indent.end @indent.branch
