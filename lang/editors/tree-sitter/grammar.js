// The mesh language for editors: lang/GRAMMAR.md without what only a compiler needs. A text that meshc accepts is accepted
// here, and so are some that it refuses: see README.md.

// A list with commas, and one more at its end if one likes.
const separated = (rule) => seq(rule, repeat(seq(',', rule)), optional(','));

module.exports = grammar({
  name: 'mesh',

  word: ($) => $.name,

  extras: ($) => [/[ \t\r\n\uFEFF]/, $.comment, $.documentation],

  supertypes: ($) => [$._item, $._value],

  // `to = web` and on the next line `in east { … }`: what `in` means is clear behind the name that follows it.
  conflicts: ($) => [[$.instance, $._place]],

  rules: {
    source_file: ($) => seq(optional($.language), repeat($._separated_item)),

    language: ($) => seq('language', field('version', $.literal)),

    _separated_item: ($) => prec.right(seq($._item, optional(','))),

    _item: ($) =>
      choice(
        $.attribute,
        $.block,
        $.spread,
        $.use,
        $.let,
        $.input,
        $.for,
        $.template,
        $.apply,
        $.override,
        $.assert,
      ),

    attribute: ($) => seq(field('name', choice($._item_word, $.string)), '=', field('value', $._value)),

    block: ($) =>
      seq(
        field('kind', $._item_word),
        choice(
          field('body', $.body),
          seq(field('label', $._label), choice(field('body', $.body), seq('=', field('value', $._value)))),
        ),
      ),

    body: ($) => seq('{', repeat($._separated_item), '}'),

    _label: ($) => choice($._word, $.string),

    spread: ($) => seq('...', $._value),

    // Forms.

    use: ($) =>
      prec.right(
        seq(
          'use',
          field('source', choice($.string, $.path)),
          optional(choice(seq('as', field('alias', $.name)), $.selection)),
        ),
      ),

    selection: ($) => seq('{', repeat(seq($.selected, optional(','))), '}'),

    selected: ($) => seq(field('name', $.name), optional(seq('as', field('alias', $.name)))),

    let: ($) => seq('let', field('name', $.name), '=', field('value', $._value)),

    input: ($) => seq('input', $.parameter),

    parameter: ($) =>
      prec.right(seq(field('name', $.name), ':', field('type', $.type), optional(seq('=', field('default', $._value))))),

    type: ($) =>
      prec.right(
        choice(seq('[', $.type, ']'), seq(field('name', $.name), optional(seq('(', optional(separated($._value)), ')')))),
      ),

    for: ($) =>
      seq(
        'for',
        field('variable', $.name),
        'in',
        field('over', choice($.path, $.list, $.group)),
        field('body', $.body),
      ),

    template: ($) =>
      seq(
        'template',
        field('name', $.name),
        optional(seq('(', optional(separated($.parameter)), ')')),
        field('body', $.body),
      ),

    apply: ($) =>
      prec.right(
        seq('apply', field('template', $.path), optional(seq('(', optional(separated($.argument)), ')'))),
      ),

    argument: ($) => seq(optional(seq(field('name', $.name), '=')), field('value', $._value)),

    override: ($) => seq('override', choice($.attribute, $.block)),

    assert: ($) =>
      prec.right(seq('assert', field('condition', $._value), optional(seq('else', field('message', $._value))))),

    // Values.

    _value: ($) => choice($.conditional, $.logic, $.not, $.comparison, $._operand),

    conditional: ($) =>
      prec.right(1, seq('if', field('condition', $._value), 'then', field('then', $._value), 'else', field('else', $._value))),

    logic: ($) =>
      choice(prec.left(2, seq($._value, 'or', $._value)), prec.left(3, seq($._value, 'and', $._value))),

    not: ($) => prec(4, seq('not', $._value)),

    comparison: ($) => seq($._operand, field('operator', $.operator), $._operand),

    operator: () => token(choice('==', '!=', '<', '<=', '>', '>=')),

    _operand: ($) => choice($.call, $._place),

    call: ($) => seq(field('caller', $._place), '->', field('callee', $._place)),

    _place: ($) => choice($.instance, $._primary),

    instance: ($) => seq(field('of', $._primary), 'in', field('place', choice($.path, $.string, $.group))),

    _primary: ($) =>
      choice(
        $.boolean,
        $.literal,
        $.string,
        $.raw_string,
        $.path,
        $.tagged,
        $.list,
        $.record,
        $.group,
      ),

    boolean: () => choice('true', 'false'),

    path: ($) =>
      prec.right(choice(seq($.name, repeat($._segment)), seq($.string, repeat1($._segment)))),

    _segment: ($) => seq('.', choice($._word, $.string)),

    tagged: ($) => seq(field('word', $.name), $.record),

    list: ($) => seq('[', optional(separated(choice($._value, $.spread))), ']'),

    record: ($) => seq('{', repeat(seq(choice($.attribute, $.spread), optional(','))), '}'),

    group: ($) => seq('(', $._value, ')'),

    // Words that mean something at the beginning of a value or of an item are names elsewhere.

    _item_word: ($) =>
      choice($.name, alias(choice('in', 'if', 'not', 'true', 'false', 'language', 'as', 'then', 'else', 'and', 'or'), $.name)),

    _word: ($) =>
      choice(
        $._item_word,
        alias(choice('use', 'let', 'input', 'for', 'template', 'apply', 'override', 'assert'), $.name),
      ),

    // Tokens.

    name: () => /[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9][A-Za-z0-9_]*)*/,

    literal: () =>
      token(
        choice(
          /[0-9]([A-Za-z0-9_.%:]|-[A-Za-z0-9])*(\/([A-Za-z0-9_.%:]|-[A-Za-z0-9])+)*/,
          /[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(\/[0-9]+)?/,
        ),
      ),

    string: ($) =>
      seq('"', repeat(choice($.text, alias($._dollar, $.text), $.escape, $.interpolation)), token.immediate('"')),

    text: () => token.immediate(prec(2, /([^"\\$\n]|\$[^{"\\$\n])+/)),

    _dollar: () => token.immediate(prec(1, '$')),

    escape: () => token.immediate(prec(3, /\\(u\{[0-9A-Fa-f]{1,6}\}|[nrt"\\$])|\$\$\{/)),

    interpolation: ($) => seq(token.immediate(prec(3, '${')), $._value, '}'),

    raw_string: () => token(/"""([^"]|"[^"]|""[^"])*"""/),

    // Four slashes and more are a plain comment.
    documentation: () => token(prec(1, /\/\/\/[^\/\n][^\n]*|\/\/\/\r?\n/)),

    comment: () => token(/\/\/[^\n]*/),
  },
});
