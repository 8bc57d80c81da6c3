//! The codes that expansion raises.

use lang_diagnostics::{Code, CodeInfo};

/// A module that cannot be read, or does not exist.
pub const UNKNOWN_MODULE: Code = Code("E0130");
/// A path that leads to no module.
pub const MODULE_PATH: Code = Code("E0131");
/// Files that use each other.
pub const USE_CIRCLE: Code = Code("E0132");
/// Two things of one name.
pub const CLASH: Code = Code("E0133");
/// A name that a module or record does not have.
pub const UNKNOWN_MEMBER: Code = Code("E0134");
/// A template that is not declared.
pub const UNKNOWN_TEMPLATE: Code = Code("E0135");
/// Templates or values that need themselves.
pub const CIRCLE: Code = Code("E0136");
/// An argument that is missing, unknown, one too many or given twice.
pub const ARGUMENT: Code = Code("E0137");
/// A value that a parameter or input does not take.
pub const WRONG_TYPE: Code = Code("E0138");
/// A type that does not exist.
pub const UNKNOWN_TYPE: Code = Code("E0139");
/// An input without a value, or a value without an input.
pub const INPUT: Code = Code("E0140");
/// A condition that is none.
pub const CONDITION: Code = Code("E0141");
/// A list or a record is needed.
pub const NOT_A_LIST: Code = Code("E0142");
/// A name that is put together from something else than text.
pub const NOT_A_LABEL: Code = Code("E0143");
/// A form in the wrong place.
pub const MISPLACED: Code = Code("E0144");
/// More is made than a mesh needs.
pub const TOO_LARGE: Code = Code("E0145");
/// An override of what is not declared.
pub const NOTHING_TO_OVERRIDE: Code = Code("E0146");
/// Two defaults or two overrides of one attribute.
pub const SAID_TWICE: Code = Code("E0147");
/// A default that applies to nothing.
pub const NO_SUCH_DEFAULT: Code = Code("E0148");
/// A variable with the name of a word that an attribute takes.
pub const HIDDEN_WORD: Code = Code("E0149");
/// Something that is taken in and not needed.
pub const UNUSED: Code = Code("W0130");

/// All of them, with what `meshc explain` says.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: UNKNOWN_MODULE,
        title: "a module that cannot be read",
        explanation: r#"`use` takes in a file of the mesh, whose path is relative to the file that says so, or a module of the standard library.

```mesh
use "services/catalog.mesh"
use std.resilience
```

Correct the path or the name. A file has to be readable and UTF-8."#,
    },
    CodeInfo {
        code: MODULE_PATH,
        title: "a path that leads to no module",
        explanation: r#"The path of a module is relative to the file that uses it, has `/` between names on every system, ends in `.mesh`, and
does not leave the directory of the mesh, so that a mesh is complete in its directory wherever that is copied to.

```mesh
use "../other/mesh.mesh"     // from the entry file: outside of the mesh
```

Move the file into the directory of the mesh."#,
    },
    CodeInfo {
        code: USE_CIRCLE,
        title: "files that use each other",
        explanation: r#"A file cannot use itself, nor a file that uses it, because then neither would be complete before the other. The diagnostic
shows every `use` of the circle. Blocks need no `use` to refer to each other: any file of a mesh may name what another
one declares. Move the `let` or `template` that both need into a file of its own."#,
    },
    CodeInfo {
        code: CLASH,
        title: "two things of one name in one place",
        explanation: r#"A `let`, `input`, `template` or module has a name of its own in its file, or in the body where it is declared.

```mesh
let size = 3
use "size.mesh" as size
```

Give one of them another name; a module is renamed by `as`."#,
    },
    CodeInfo {
        code: UNKNOWN_MEMBER,
        title: "a name that a module or record does not have",
        explanation: r#"Behind the point stands what a module declares by `let`, `input` or `template`, or an entry of a record.

```mesh
let shop = { port = 80 }
input size: integer = shop.prot     // did you mean `port`?
```"#,
    },
    CodeInfo {
        code: UNKNOWN_TEMPLATE,
        title: "a template that is not declared",
        explanation: r#"`apply` makes the items of a template, which a file declares by `template` or takes in by `use`.

```mesh
use std.clusters
apply clusters.pair(name = "west")     // did you mean one of its templates?
```"#,
    },
    CodeInfo {
        code: CIRCLE,
        title: "a template or value that needs itself",
        explanation: r#"There is no recursion: a template cannot apply itself, directly or through others, and a value cannot be part of itself.
So every mesh can be made in a bounded time.

```mesh
let a = [b]
let b = [a]
```

Write one of them out. What is needed several times is made by `for`."#,
    },
    CodeInfo {
        code: ARGUMENT,
        title: "an argument that is missing, unknown, one too many or given twice",
        explanation: r#"`apply` gives each parameter of a template a value: first those in the order of the parameters, then those with a name. Those with
a default may be left out.

```mesh
template web(name: string, port: integer = 80, target: integer = 8080) {}
apply web(nmae = "shop")             // did you mean `name`?
apply web("shop", 80, target = 3000)
apply web(name = "shop", 80)         // port = 80
```"#,
    },
    CodeInfo {
        code: WRONG_TYPE,
        title: "a value that a parameter or input does not take",
        explanation: r#"Parameters and inputs have types, so that a mistake is found where the value is written and not deep in what is made of it.

```mesh
input replicas: integer(1, 10) = 20     // at most 10
```

Correct the value, or the type at the declaration, which the diagnostic shows."#,
    },
    CodeInfo {
        code: UNKNOWN_TYPE,
        title: "a type that does not exist",
        explanation: r#"Types are `any`, `boolean`, `integer`, `decimal`, `string`, `duration`, `rate`, `size`, `percentage`, `address`,
`address_range`, `name`, `record`, the kinds that have names (`cluster`, `service`), lists of these in brackets, and with bounds:

```mesh
input replicas: integer(1, 10) = 2
input stage: one_of(test, production) = test
input zone: string("[a-z]+-[0-9]") = "eu-1"
input clusters: [cluster] = [west]
```"#,
    },
    CodeInfo {
        code: INPUT,
        title: "an input without a value, or a value without an input",
        explanation: r#"An `input` is set from outside, by `-D name=value` or in a file of values that `--values` names; one without a default has
to be. A value for an input that is not declared would be lost, so it is an error.

```console
$ meshc build mesh.mesh -D stage=production
$ meshc build mesh.mesh --values production.values
```"#,
    },
    CodeInfo {
        code: CONDITION,
        title: "a condition that is neither true nor false",
        explanation: r#"`if`, `and`, `or` and `not` take truth values; comparisons take two values of one kind. Quantities are compared by what
they come to (`60/min == 1/s`), and only those of one dimension: a duration is neither less nor greater than a size.

```mesh
let replicas = if stage == production then 3 else 1
```"#,
    },
    CodeInfo {
        code: NOT_A_LIST,
        title: "a list or a record is needed",
        explanation: r#"`for` goes over a list, or over what is declared of a kind (`for c in clusters`); `...` puts the elements of a list into a
list, and the entries of a record into a record or block.

```mesh
let both = [west, east]
let all = [...both, north]
```"#,
    },
    CodeInfo {
        code: NOT_A_LABEL,
        title: "a name that is put together from something else than text",
        explanation: r#"A label may have interpolations of strings, whole numbers, truth values and names. It has to be known before anything else,
so the value of another block's attribute cannot be part of it.

```mesh
for zone in ["a", "b"] {
  network "net-${zone}" {}
}
```"#,
    },
    CodeInfo {
        code: MISPLACED,
        title: "a form in the wrong place",
        explanation: r#"`use`, `input` and `template` are items of a file, so that one finds them there. `let`, `for` and `apply` may also stand
in blocks.

```mesh
namespace shop {
  template web(name: string) {}     // belongs before the namespace
}
```"#,
    },
    CodeInfo {
        code: TOO_LARGE,
        title: "more is made than a mesh needs",
        explanation: r#"What templates, loops and values come to is bounded, so that a few lines cannot fill the memory: by the number of values
and items, by how deep they are nested, and by the length of a text.

```mesh
let a = "${b}${b}"
let b = "${c}${c}"     // and so on: it doubles with each line
```"#,
    },
    CodeInfo {
        code: NOTHING_TO_OVERRIDE,
        title: "an override of what is not declared",
        explanation: r#"`override` changes what is declared elsewhere, so the block that it names has to be there: a new block under a misspelt
name would change nothing, in silence.

```mesh
override namespace shop { service catalgo { clusters = [east] } }     // did you mean `catalog`?
```

Correct the name, or leave `override` out to declare something new."#,
    },
    CodeInfo {
        code: SAID_TWICE,
        title: "two defaults or two overrides of one attribute",
        explanation: r#"A plain value is stronger than a default, and an override is stronger than a plain value. But two defaults of one place,
or two overrides, contradict each other, and none of them wins in silence.

```mesh
override mesh usmesh { data_plane = envoy }
override mesh usmesh { data_plane = meshd }
```

Keep one of the two."#,
    },
    CodeInfo {
        code: NO_SUCH_DEFAULT,
        title: "a default that applies to nothing",
        explanation: r#"`defaults` stands in a file, a `mesh`, a `cluster` or a `namespace`, and has blocks of the kinds that are possible below
it, with what they have if they do not say so themselves.

```mesh
defaults {
  service { clusters = [west, east], port http { number = 80 } }
}
```

What such a kind does not take is an error here, even while no block of the kind is there."#,
    },
    CodeInfo {
        code: HIDDEN_WORD,
        title: "a variable with the name of a word",
        explanation: r#"Variables come before words: where there is a variable `ingress`, `role = ingress` would be its value, and no longer the word
that the attribute takes. So this is an error wherever an attribute takes a word of that name, for variables of `let`,
`input`, `for` and the parameters of templates alike.

```mesh
let front = 192.0.2.10

cluster west {
  network = wan
  region  = "us"
  gateway ingress { role = ingress, address = front, port http { number = 80 } }
}

network wan {}
```

Give the variable another name."#,
    },
    CodeInfo {
        code: UNUSED,
        title: "something that is taken in and not needed",
        explanation: r#"A module of the standard library, or a name of a module, is taken in by `use`, and nothing in the file names it.

```mesh
use std.resilience { standard }     // and `standard` stands nowhere
```

Remove it."#,
    },
];
