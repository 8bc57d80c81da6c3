//! The codes that evaluation raises.

use lang_diagnostics::{Code, CodeInfo};

/// A block of an unknown kind.
pub const UNKNOWN_KIND: Code = Code("E0101");
/// An attribute that the block does not have.
pub const UNKNOWN_ATTRIBUTE: Code = Code("E0102");
/// A name that nothing declares.
pub const UNKNOWN_NAME: Code = Code("E0103");
/// A value of the wrong type.
pub const WRONG_TYPE: Code = Code("E0104");
/// A quantity of the wrong dimension.
pub const WRONG_UNIT: Code = Code("E0105");
/// A number or a list outside of its range.
pub const OUT_OF_RANGE: Code = Code("E0106");
/// A required attribute is missing.
pub const MISSING_ATTRIBUTE: Code = Code("E0107");
/// An attribute is set twice.
pub const DUPLICATE_ATTRIBUTE: Code = Code("E0108");
/// Two declarations of one name.
pub const DUPLICATE_NAME: Code = Code("E0109");
/// A block where an attribute is meant.
pub const BLOCK_FOR_ATTRIBUTE: Code = Code("E0110");
/// An attribute where a block is meant.
pub const ATTRIBUTE_FOR_BLOCK: Code = Code("E0111");
/// A name that may mean two things.
pub const AMBIGUOUS_NAME: Code = Code("E0112");
/// A block without the name that it needs.
pub const LABEL_MISSING: Code = Code("E0113");
/// A name on a block that takes none.
pub const LABEL_NOT_ALLOWED: Code = Code("E0114");
/// A string or name of the wrong form.
pub const WRONG_FORM: Code = Code("E0115");
/// A name of something of another kind.
pub const WRONG_KIND: Code = Code("E0116");
/// Something that cannot stand inside a string.
pub const NOT_TEXT: Code = Code("E0117");
/// Values that need each other.
pub const CYCLE: Code = Code("E0118");
/// A block that may stand only once.
pub const REPEATED_BLOCK: Code = Code("E0119");
/// A required block is missing.
pub const MISSING_BLOCK: Code = Code("E0120");
/// A word that is none of the possible ones.
pub const UNKNOWN_WORD: Code = Code("E0121");
/// A text that is put together from too much.
pub const TEXT_TOO_LARGE: Code = Code("E0122");

/// All of them, with what `meshc explain` says.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: UNKNOWN_KIND,
        title: "a block of an unknown kind",
        explanation: r#"Each kind of block has its place: `service` stands in a `namespace`, `port` in a `service`. A word that is not known
where it stands would be ignored by a lenient reader, and a policy that nobody applies is worse than an error.

```mesh
namespace shop {
  servce catalog {}     // did you mean `service`?
}
```

Correct the word, or move the block to where it belongs. `lang/REFERENCE.md` lists every kind with what it contains."#,
    },
    CodeInfo {
        code: UNKNOWN_ATTRIBUTE,
        title: "an attribute that the block does not have",
        explanation: r#"Blocks are closed: they take the attributes that are listed in `lang/REFERENCE.md` and no others.

```mesh
outlier { consecutive_5x = 5 }     // did you mean `consecutive_5xx`?
```"#,
    },
    CodeInfo {
        code: UNKNOWN_NAME,
        title: "a name that is not declared",
        explanation: r#"A bare word in value position names something that is declared: `catalog` inside its own namespace,
`istioinaction.catalog` from anywhere, `west.ingress` for a gateway, `catalog.http` for a port.

```mesh
calls = [catalgo]     // did you mean `catalog`?
```

Correct the name, write the namespace in front, or declare what is missing."#,
    },
    CodeInfo {
        code: WRONG_TYPE,
        title: "a value of the wrong type",
        explanation: r#"Each attribute takes values of one type, which `lang/REFERENCE.md` names.

```mesh
region = westus       // a string is needed: region = "westus"
clusters = west       // a list is needed: clusters = [west]
```"#,
    },
    CodeInfo {
        code: WRONG_UNIT,
        title: "a quantity of the wrong dimension",
        explanation: r#"Durations, rates, sizes, percentages and plain numbers are different things, and none is turned into another.

```mesh
interval = 20          // 20 what? interval = 20s
tiers = { gold = 10 }  // per what? tiers = { gold = 10/min }
```"#,
    },
    CodeInfo {
        code: OUT_OF_RANGE,
        title: "a number or a list outside of its range",
        explanation: r#"Numbers and lists have bounds where values beyond them cannot work: a port lies between 1 and 65535, and a
service runs in at least one cluster.

```mesh
port http { number = 70000 }
clusters = []
```"#,
    },
    CodeInfo {
        code: MISSING_ATTRIBUTE,
        title: "a required attribute is missing",
        explanation: r#"Some attributes have no sensible default, so that leaving them out would be a guess.

```mesh
cluster west { region = "westus" }     // in which network are its pods?
```"#,
    },
    CodeInfo {
        code: DUPLICATE_ATTRIBUTE,
        title: "an attribute is set twice",
        explanation: r#"Two values for one attribute contradict each other; none of them wins in silence. The diagnostic shows both places.

```mesh
port http { number = 80, number = 8080 }
```"#,
    },
    CodeInfo {
        code: DUPLICATE_NAME,
        title: "two declarations of one name",
        explanation: r#"Within one scope a name means one thing. Services, clients and external hosts of a namespace share their names, because
a call names any of them. Only a `namespace` may be opened several times; its contents add up.

```mesh
namespace shop {
  service catalog { clusters = [east], port http { number = 80 } }
  service catalog { clusters = [west], port http { number = 80 } }
}
```"#,
    },
    CodeInfo {
        code: BLOCK_FOR_ATTRIBUTE,
        title: "a block where an attribute is meant",
        explanation: r#"Attributes have an equals sign, also when their value is a record.

```mesh
tiers { gold = 10/min }       // tiers = { gold = 10/min }
issuer files { directory = "pki" }   // issuer = files { directory = "pki" }
```"#,
    },
    CodeInfo {
        code: ATTRIBUTE_FOR_BLOCK,
        title: "an attribute where a block is meant",
        explanation: r#"Blocks have no equals sign, unless their kind has one attribute that is meant without its name: `lang/REFERENCE.md` has
it for each kind. Such a block may be written by the value of that attribute, which is no record in braces.

```mesh
pool = { max_connections = 10 }     // pool { max_connections = 10 }
timeout = 2s                        // the same as timeout { request = 2s }
port http = 80                      // the same as port http { number = 80 }
```"#,
    },
    CodeInfo {
        code: AMBIGUOUS_NAME,
        title: "a name that may mean two things",
        explanation: r#"A name is looked up in every scope around it, and an inner match does not hide an outer one: otherwise a new declaration
could redirect somebody else's reference without a word.

```mesh
cluster west { network = n, region = "r", gateway ingress { role = ingress, port http { number = 80 } } }
namespace west { service ingress { clusters = [west], port http { number = 80 } } }
policy p { allow { from = [west.ingress] } }     // the gateway or the service?
```

Write a longer name if there is one, or rename one of the two."#,
    },
    CodeInfo {
        code: LABEL_MISSING,
        title: "a block without the name that it needs",
        explanation: r#"Kinds that can be referred to need a name between their word and the brace.

```mesh
service { clusters = [west] }     // service catalog { … }
```"#,
    },
    CodeInfo {
        code: LABEL_NOT_ALLOWED,
        title: "a name on a block that takes none",
        explanation: r#"Settings such as `outlier` or `pool` belong to the block around them and have no name of their own.

```mesh
policy p { outlier strict { consecutive_5xx = 1 } }
```"#,
    },
    CodeInfo {
        code: WRONG_FORM,
        title: "a string or name of the wrong form",
        explanation: r#"Some strings end up where only certain forms are possible: names become parts of DNS names and of Kubernetes objects,
paths begin with a slash, regular expressions must compile.

```mesh
match { path = "items" }     // match { path = "/items" }
```"#,
    },
    CodeInfo {
        code: WRONG_KIND,
        title: "a name of something of another kind",
        explanation: r#"The name is declared, but it is not what is needed here. A `cluster` in `allow` is the common case: an identity is
`spiffe://<trust domain>/ns/<namespace>/sa/<account>` and carries no cluster, so no proxy could tell.

```mesh
allow { from = [west] }     // `west` is a cluster
```"#,
    },
    CodeInfo {
        code: NOT_TEXT,
        title: "something that cannot stand inside a string",
        explanation: r#"`${…}` takes the name of something declared, or one of its attributes whose value is a string, a whole number, an
address or a word.

```mesh
zone = "${west.gateways}"
```"#,
    },
    CodeInfo {
        code: CYCLE,
        title: "values that need each other",
        explanation: r#"Interpolated values may refer to each other in any order, but not in a circle.

```mesh
cluster west { network = n, region = "${west.zone}", zone = "${west.region}" }
```"#,
    },
    CodeInfo {
        code: REPEATED_BLOCK,
        title: "a block that may stand only once",
        explanation: r#"Settings such as `pool` stand at most once in their policy, and there is one `mesh`. The diagnostic shows both places.

```mesh
policy p {
  pool { max_connections = 10 }
  pool { max_connections = 20 }
}
```"#,
    },
    CodeInfo {
        code: MISSING_BLOCK,
        title: "a required block is missing",
        explanation: r#"There is nothing to compile without a `mesh`, and nothing to call without a `port`.

```mesh
service catalog { clusters = [east] }     // which port? port http { number = 80 }
```

What calls and offers nothing is a `client`."#,
    },
    CodeInfo {
        code: UNKNOWN_WORD,
        title: "a word that is none of the possible ones",
        explanation: r#"Attributes with a fixed set of words take no others; the diagnostic lists them.

```mesh
data_plane = envoi     // did you mean `envoy`?
```"#,
    },
    CodeInfo {
        code: TEXT_TOO_LARGE,
        title: "a text that is put together from too much",
        explanation: r#"A string may contain the value of an attribute, which may contain another one. A value that is put twice into the next
doubles with every step, so that a few lines would come to gigabytes. What is put into a string has at most 4096 bytes,
and at most 64 values are put into each other.

```mesh
cluster b { network = n, region = "${a.region}${a.region}" }
cluster c { network = n, region = "${b.region}${b.region}" }     // and so on
```

Write out what is needed."#,
    },
];
