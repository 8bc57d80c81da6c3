" Files of meshes.
autocmd BufRead,BufNewFile *.mesh setfiletype mesh
