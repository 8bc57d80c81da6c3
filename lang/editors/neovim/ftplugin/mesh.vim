" Comments, indentation and formatting of meshes.
if exists('b:did_ftplugin')
  finish
endif
let b:did_ftplugin = 1
setlocal commentstring=//\ %s comments=:///,:// expandtab shiftwidth=2 softtabstop=2 iskeyword+=-
setlocal formatprg=meshc\ fmt\ -\ 2>/dev/null
setlocal makeprg=meshc\ check\ %\ --error-format\ short
setlocal errorformat=%f:%l:%c:\ %trror[E%n]:\ %m,%f:%l:%c:\ %tarning[W%n]:\ %m
let b:undo_ftplugin = 'setlocal commentstring< comments< expandtab< shiftwidth< softtabstop< iskeyword< formatprg< makeprg< errorformat<'
