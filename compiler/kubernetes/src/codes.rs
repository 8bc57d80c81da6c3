//! Codes of what Kubernetes cannot carry.

use lang_diagnostics::{Code, CodeInfo};

/// Native sidecars need Kubernetes 1.29.
pub const OLD_KUBERNETES: Code = Code("E0601");
/// A proxy's configuration does not fit a ConfigMap.
pub const CONFIG_TOO_LARGE: Code = Code("E0602");
/// A proxy's configuration fits only with server-side apply.
pub const CONFIG_LARGE: Code = Code("W0602");
/// A workload with an image that is no Deployment.
pub const WORKLOAD_KIND: Code = Code("E0604");
/// Two objects of one name.
pub const NAME_TAKEN: Code = Code("E0605");
/// One workload with two sidecars.
pub const TWO_SIDECARS: Code = Code("E0606");

/// Every code of this crate.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: OLD_KUBERNETES,
        title: "the cluster's Kubernetes is too old for native sidecars",
        explanation: "\
A sidecar is an init container with `restartPolicy: Always`: it starts before the application, is restarted on its own,
and ends after it, so no request meets a pod without its proxy. Kubernetes has that since 1.29.

```mesh
cluster west {
  network    = west-net
  kubernetes = \"1.28\"    // E0601
}
```

Upgrade the cluster, and say so with `kubernetes = \"1.29\"` or later.",
    },
    CodeInfo {
        code: CONFIG_TOO_LARGE,
        title: "a proxy's configuration does not fit a ConfigMap",
        explanation: "\
A proxy's configuration lies in a ConfigMap, which holds at most 1 MiB. It grows with what the proxy may call (about
6 KiB for each callee's port on Envoy), never with the size of the mesh. So one caller declares very many calls, or one gateway
exports very many ports.

Split the caller into several services, spread routes over several gateways, or remove calls that nobody makes.",
    },
    CodeInfo {
        code: CONFIG_LARGE,
        title: "a proxy's configuration fits only with server-side apply",
        explanation: "\
Client-side `kubectl apply` keeps a second copy of an object in an annotation, which holds at most 256 KiB. This
proxy's ConfigMap is larger.

Apply the tree with `kubectl apply --server-side -k`, Argo CD with `ServerSideApply=true`, or Flux (which always does),
or declare fewer calls.",
    },
    CodeInfo {
        code: WORKLOAD_KIND,
        title: "meshc writes only Deployments of its own",
        explanation: "\
A `workload` with an `image` asks meshc to write the workload too. It does so for Deployments; a StatefulSet, DaemonSet,
Rollout, Job or CronJob needs settings that only you know.

```mesh
service ledger {
  workload { kind = stateful_set, image = \"ledger:1\" }    // E0604
}
```

Leave `image` out, write the workload yourself, and apply the component of `sidecars/` to it.",
    },
    CodeInfo {
        code: NAME_TAKEN,
        title: "two objects would have one name",
        explanation: "\
Names of what meshc writes are made from names in the mesh: a gateway's objects are called `<cluster>-<gateway>`, a
service's ConfigMap `mesh-<service>`, its headless Service `<service>-mesh`. The mesh has a ConfigMap `mesh-trust` in each
namespace, and `rate-limit` and `rate-limit-redis` in its own. Whichever is applied last would replace the other.

```mesh
namespace shop {
  service trust { clusters = [west], port http { number = 80 } }    // its ConfigMap is the trust bundle's
}
```

Rename one of the two.",
    },
    CodeInfo {
        code: TWO_SIDECARS,
        title: "a workload would get two sidecars",
        explanation: "\
A pod has one sidecar, with one identity. Two services that name the same workload would put two of them into its pods,
which would contend for the same ports.

```mesh
service web   { port http  { number = 80 },   workload shop {} }
service admin { port admin { number = 8001 }, workload shop {} }    // E0606
```

Give each a workload of its own. What runs in one pod is one service, with several ports, or one subset of it.",
    },
];
