(body "}" @end) @indent
(record "}" @end) @indent
(list "]" @end) @indent
