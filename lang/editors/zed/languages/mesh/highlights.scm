; Colours. The kinds of blocks are written here by a test, from the schema.

(comment) @comment
(documentation) @comment.documentation

(string) @string
(text) @string
(raw_string) @string
(escape) @string.escape
(interpolation ["${" "}"] @punctuation.special)

(literal) @number
(boolean) @boolean

(attribute name: (_) @property)
(argument name: (_) @property)
(parameter name: (_) @variable.parameter)

(block kind: (name) @type)
((block kind: (name) @keyword)
 (#any-of? @keyword "abort" "allow" "assert" "autoscale" "balance" "call" "certificate" "client" "cluster" "cookie" "cors" "delay" "deny" "destination" "each" "except" "external" "failover" "fault" "gateway" "grpc" "header" "health" "http10" "in" "in_time" "intermediate" "link" "match" "mesh" "metrics" "mirror" "namespace" "network" "not" "outlier" "policy" "pool" "port" "probe" "query" "rate_limit" "redirect" "request_headers" "resources" "respond" "response_headers" "retry" "rewrite" "root" "route" "rule" "service" "subset" "test" "timeout" "tls" "trust" "workload"))
(block label: (_) @label)

(template name: (name) @function)
(apply template: (path) @function)
(let name: (name) @variable)
(for variable: (name) @variable)
(type name: (name) @type.builtin)
(tagged word: (name) @constant)

["use" "as" "let" "input" "template" "apply" "override" "assert" "language"] @keyword
["for" "in"] @keyword.repeat
["if" "then" "else"] @keyword.conditional
["and" "or" "not"] @keyword.operator
["=" "->" "..." (operator)] @operator
["," "." ":"] @punctuation.delimiter
["{" "}" "[" "]" "(" ")"] @punctuation.bracket
