(block kind: (_) @context label: (_) @name) @item
(template "template" @context name: (_) @name) @item
(let "let" @context name: (_) @name) @item
