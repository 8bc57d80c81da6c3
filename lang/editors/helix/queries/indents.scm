; Helix's indentation.

[(body) (record) (list) (selection)] @indent
["}" "]" ")"] @outdent
