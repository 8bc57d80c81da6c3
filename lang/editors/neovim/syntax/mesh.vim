" Highlighting of meshes. The words are written by a test, from the schema.
if exists('b:current_syntax')
  finish
endif
syntax iskeyword @,48-57,_,-
syntax keyword meshKind abort allow assert autoscale balance call certificate client cluster cookie cors delay deny destination each except external failover fault gateway grpc header health http10 in in_time intermediate link match mesh metrics mirror namespace network not outlier policy pool port probe query rate_limit redirect request_headers resources respond response_headers retry rewrite root route rule service subset test timeout tls trust workload
syntax keyword meshWord apply assert for if in input let override template use
syntax keyword meshConstant true false
syntax match meshAttribute /\<[A-Za-z_][A-Za-z0-9_-]*\ze\s*=/
syntax match meshLiteral /\<[0-9][0-9A-Za-z_.%:]*\(\/[0-9A-Za-z]\+\)\?/
syntax match meshOperator /->\|=/
syntax match meshEscape /\\u{\x\{1,6}}\|\\.\|\$\${/ contained
syntax region meshInterpolation matchgroup=meshEscape start=/\${/ end=/}/ contained oneline contains=TOP
syntax region meshString start=/"/ skip=/\\./ end=/"/ oneline contains=meshEscape,meshInterpolation
syntax region meshText start=/"""/ end=/"""/
syntax match meshComment /\/\/.*$/
syntax match meshDocumentation /\/\/\/\/\@!.*$/
highlight default link meshKind Type
highlight default link meshWord Keyword
highlight default link meshConstant Boolean
highlight default link meshAttribute Identifier
highlight default link meshLiteral Number
highlight default link meshOperator Operator
highlight default link meshEscape SpecialChar
highlight default link meshString String
highlight default link meshText String
highlight default link meshComment Comment
highlight default link meshDocumentation SpecialComment
let b:current_syntax = 'mesh'
