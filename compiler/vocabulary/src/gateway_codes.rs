//! The codes that the model raises about gateways and what is served there.

use lang_diagnostics::{Code, CodeInfo};

/// An east-west gateway with more than its one port.
pub const EAST_WEST_PORT: Code = Code("E0205");
/// An ingress gateway without a port.
pub const NO_GATEWAY_PORT: Code = Code("E0206");
/// A route at a gateway that takes no requests.
pub const NOT_AN_INGRESS: Code = Code("E0208");
/// Gateways of a name that none has.
pub const NO_SUCH_GATEWAY: Code = Code("E0209");
/// TLS at a port without a certificate.
pub const NO_CERTIFICATE: Code = Code("E0260");
/// Names of clients where none are known.
pub const CLIENTS_OF_NOBODY: Code = Code("E0289");
/// A rule that names nobody where callers have identities.
pub const RULE_WITHOUT_CALLERS: Code = Code("E0290");
/// A certificate that no client is shown.
pub const ADDRESS_OF_CERTIFICATE: Code = Code("E0261");
/// Pods that cannot be as they are declared.
pub const BAD_RESOURCES: Code = Code("E0262");
/// Clients' certificates without roots.
pub const NO_CLIENT_CA: Code = Code("E0263");
/// A Secret that pods cannot mount.
pub const SECRET_ELSEWHERE: Code = Code("E0266");
/// A route at ports that do different things.
pub const MIXED_PORTS: Code = Code("E0264");

/// All of them, with what `meshc explain` says.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: EAST_WEST_PORT,
        title: "an east-west gateway with more than its one port",
        explanation: r#"An east-west gateway passes mTLS through by SNI: one port serves all services behind it, and TLS never ends at it. So it
has one port (15443 unless declared) and no `tls`.

```mesh
gateway eastwest {
  role = east_west
  port mtls  { number = 15443 }
  port extra { number = 15444 }
}
```"#,
    },
    CodeInfo {
        code: NO_GATEWAY_PORT,
        title: "an ingress gateway without a port",
        explanation: r#"Clients reach an ingress gateway at the ports that it declares.

```mesh
gateway ingress { role = ingress, address = 172.18.255.200 }     // port http { number = 80 }
```"#,
    },
    CodeInfo {
        code: NOT_AN_INGRESS,
        title: "a route at a gateway that takes no requests",
        explanation: r#"Only ingress gateways end TLS and read requests. An east-west gateway passes encrypted connections through and sees
nothing of them but the SNI.

```mesh
route shop { gateway = west.eastwest, hosts = ["shop.example"], to = webapp }
```"#,
    },
    CodeInfo {
        code: NO_SUCH_GATEWAY,
        title: "no gateway of this name",
        explanation: r#"`every_gateway` names the ingress gateways of all clusters that have this name, and may name one port that each of them
has.

```mesh
route shop { every_gateway = "ingress.https", hosts = ["shop.example"], to = webapp }
```"#,
    },
    CodeInfo {
        code: NO_CERTIFICATE,
        title: "TLS without a certificate",
        explanation: r#"A port that ends TLS shows a certificate to its clients: one for all hosts, or several that are chosen by the name that
the client sends.

```mesh
port https {
  number = 443
  tls {
    certificate { secret = "shop-tls", hosts = ["shop.example", "*.shop.example"] }
    certificate { secret = "admin-tls", hosts = ["admin.example"] }
  }
}
```"#,
    },
    CodeInfo {
        code: ADDRESS_OF_CERTIFICATE,
        title: "a certificate that is chosen by an address",
        explanation: r#"Certificates are chosen by the server name in the client's first message, which is a name and never an address
(RFC 6066, section 3). A client that connects to an address is shown the certificate for `*`.

```mesh
certificate { secret = "plain-tls", hosts = ["10.0.0.1"] }       // never shown; write secret = "plain-tls" beside it
```"#,
    },
    CodeInfo {
        code: BAD_RESOURCES,
        title: "pods that cannot be as they are declared",
        explanation: r#"What is reserved for a gateway's pods is at most what they may have, a proxy needs 128MiB of memory to work in, and the
fewest replicas are at most as many as the most.

```mesh
gateway ingress {
  role = ingress
  port http { number = 80 }
  resources { memory = 256MiB, memory_limit = 1GiB }
  autoscale { min_replicas = 2, max_replicas = 10, cpu = 70% }
}
```"#,
    },
    CodeInfo {
        code: NO_CLIENT_CA,
        title: "clients' certificates without roots",
        explanation: r#"A certificate proves something if it descends from a root that is trusted for it. `client_ca` names the Secret with these
roots; with it, clients must show a certificate unless `client_certificate = optional`.

```mesh
port https {
  number = 443
  tls { secret = "shop-tls", client_ca = "partners-ca", client_certificate = optional }
}
```"#,
    },
    CodeInfo {
        code: SECRET_ELSEWHERE,
        title: "a Secret of another namespace",
        explanation: r#"Certificates and keys come to proxies as mounted Secrets, and Kubernetes mounts those of a pod's own namespace only. The
`certificateRefs` of a `Gateway` may lead to another namespace, if a `ReferenceGrant` there agrees, because a controller that
reads all Secrets hands them on; here nothing has such rights.

```mesh
port https { number = 443, tls { secret = "shop/web-tls" } }     // tls { secret = "web-tls" }
```

The pods of a gateway run in the mesh's namespace (`namespace` of `mesh`), and those of a service in its own; a `ca` of a
host outside is needed wherever a proxy connects to it. Have the Secret there: let cert-manager write it (a `Certificate` in that
namespace), let External Secrets or a replicator copy it, or copy it by hand and again whenever it is renewed. Proxies
follow what changes in a mounted Secret."#,
    },
    CodeInfo {
        code: MIXED_PORTS,
        title: "a route at ports that do different things",
        explanation: r#"A port of an ingress gateway takes requests (`http`), connections of bytes (`tcp`) or of TLS by server name (`tls`), and a
route is for one of these. Without a port's name it is served at all ports that take requests; the others are named.
Connections of bytes carry no host, so a route for them has no `hosts`.

```mesh
gateway ingress {
  role = ingress
  port http { number = 80 }
  port sql  { number = 5432, protocol = tcp }
}
route ledger { gateway = west.ingress.sql, to = ledger.sql }
```"#,
    },
    CodeInfo {
        code: CLIENTS_OF_NOBODY,
        title: "names of clients where none are known",
        explanation: r#"`clients` of `allow` and `deny` are names in certificates that clients outside the mesh show to an ingress gateway. The
gateway decides by them, so a rule with `clients` means ingress gateways only, and those that ask for certificates.

```mesh
policy partners {
  targets = [orders]
  allow { from = [west.ingress], clients = ["spiffe://partner.example/*", "shop.partner.example"] }
}
```"#,
    },
    CodeInfo {
        code: RULE_WITHOUT_CALLERS,
        title: "a rule that names no callers",
        explanation: r#"Inside the mesh callers have identities, and a rule says whose calls it is about. Clients outside have none: rules about them
are in policies of `gateways` or `routes` only, and take no `from`.

```mesh
policy office {
  targets = [orders]
  allow { addresses = [203.0.113.0/24] }
}
```

Write `gateways = [west.ingress]` or `routes = [orders]` in the place of `targets` if clients of a gateway are meant, and
`from` if callers inside are."#,
    },
];
