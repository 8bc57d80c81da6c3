//! What `meshc explain` says about hosts outside the mesh, and machines outside Kubernetes.

use lang_diagnostics::CodeInfo;

pub(super) const WILDCARD_WITHOUT_ADDRESS: CodeInfo = CodeInfo {
    code: super::WILDCARD_WITHOUT_ADDRESS,
    title: "a wildcard without an address",
    explanation: r#"`*.pay.example` stands for many names. A proxy connects to addresses that are known before, so it needs one at which all
of these names are served; the server name or the Host header then says which of them is meant.

```mesh
external pay {
  hosts     = ["*.pay.example"]
  addresses = ["edge.pay.example"]
  port https { number = 443, protocol = tls }
}
```

Hosts that are served at different places are different `external` blocks."#,
};

pub(super) const TLS_TWICE: CodeInfo = CodeInfo {
    code: super::TLS_TWICE,
    title: "TLS inside TLS",
    explanation: r#"`protocol` is what the application speaks. With `tls` it begins TLS itself, and the proxy passes that on without ending it;
a `tls` block would begin TLS once more around it.

```mesh
port http { number = 80, target = 443, protocol = http, tls { ca = "pay-ca" } }     // the proxy begins TLS
port tls  { number = 443, protocol = tls }                                          // the application does
```"#,
};

pub(super) const NO_SERVER_NAME: CodeInfo = CodeInfo {
    code: super::NO_SERVER_NAME,
    title: "TLS without a server name",
    explanation: r#"A proxy that begins TLS says which server it means, and takes that server's certificate only. Where all `hosts` are
patterns, the name has to be said.

```mesh
external pay {
  hosts     = ["*.pay.example"]
  addresses = [203.0.113.10]
  port http { number = 80, target = 443, protocol = http, tls { ca = "pay-ca", sni = "api.pay.example" } }
}
```"#,
};

pub(super) const NOT_AN_EGRESS: CodeInfo = CodeInfo {
    code: super::NOT_AN_EGRESS,
    title: "a gateway that connects to no hosts outside",
    explanation: r#"`through` names the gateway that connects to a host outside in the place of its callers. Only an egress gateway does that.

```mesh
cluster west {
  network = west-net
  region  = "westus"
  gateway egress { role = egress }
}
namespace shop {
  external pay { hosts = ["api.pay.example"], through = west.egress, port https { number = 443, protocol = tls } }
}
```"#,
};

pub(super) const MACHINE_WITHOUT_ADDRESS: CodeInfo = CodeInfo {
    code: super::MACHINE_WITHOUT_ADDRESS,
    title: "a service on machines without addresses",
    explanation: r#"Pods are found by name. Machines outside Kubernetes are where their addresses say.

```mesh
cluster dc { network = dc-net, region = "dc", platform = machines }
namespace shop {
  service ledger {
    clusters = [dc]
    in dc { addresses = [10.0.0.5, 10.0.0.6] }
    port http { number = 80, target = 8080, bind = loopback }
  }
}
```"#,
};

pub(super) const ADDRESS_OF_POD: CodeInfo = CodeInfo {
    code: super::ADDRESS_OF_POD,
    title: "an address of pods",
    explanation: r#"Pods come and go with other addresses, so those of a service are found by name. `addresses` are those of machines, in a
cluster with `platform = machines`.

```mesh
cluster dc { network = dc-net, region = "dc", platform = machines }
```"#,
};
