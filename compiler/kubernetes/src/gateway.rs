//! A gateway: Deployment, Service, disruption budget, NetworkPolicy, and its configuration as plain files.

use std::collections::BTreeSet;

use meshc_plan::paths::{METRICS_PORT, READINESS_PORT};
use meshc_plan::{ClusterPlan, GatewayDeployment, GatewayPortPlan, ProxyPlan, RenderedProxy, Role};
use meshc_vocabulary::model::{Autoscale, ExternalTraffic, GatewayService, Host, ServiceType};
use meshc_yaml::{Map, Stream, Value, list, map};

use crate::Tree;
use crate::companion::{network_policy, rule};
use crate::container;
use crate::families::with_families;
use crate::metadata::{COMPONENT, NAME, annotated, generator, labels, managed, metadata, object, texts};

/// Writes a gateway's folder, but for its configuration.
pub(crate) fn render(
    cluster: &ClusterPlan,
    proxy: &ProxyPlan,
    gateway: &GatewayDeployment,
    rendered: &RenderedProxy,
    tree: &mut Tree,
) {
    let folder = format!("{}/{}", cluster.name, proxy.name.path);
    let gateway = Gateway { cluster, proxy, gateway, rendered };
    let files = [
        ("deployment.yaml", vec![gateway.account(), gateway.deployment()]),
        ("service.yaml", vec![gateway.service()]),
        ("policy.yaml", gateway.policies()),
        (
            "autoscaler.yaml",
            gateway.gateway.autoscale.iter().map(|autoscale| gateway.autoscaler(autoscale)).collect(),
        ),
    ];
    let mut resources = Vec::new();
    for (file, documents) in files {
        if !documents.is_empty() {
            tree.insert(format!("{folder}/{file}"), Stream::new().documents(documents).emit());
            resources.push(file.to_owned());
        }
    }
    resources.sort();
    let configuration = rendered.files.keys().map(|file| format!("config/{file}"));
    let kustomization = map! {
        "apiVersion" => "kustomize.config.k8s.io/v1beta1",
        "kind" => "Kustomization",
        "resources" => texts(resources),
        "configMapGenerator" => list![generator(gateway.object_name(), &cluster.mesh_namespace, configuration)],
    };
    tree.insert(format!("{folder}/kustomization.yaml"), Stream::new().document(kustomization).emit());
}

/// Memory that is reserved for a gateway unless declared, in bytes.
const LEAST_MEMORY: u64 = 128 << 20;

struct Gateway<'a> {
    cluster: &'a ClusterPlan,
    proxy: &'a ProxyPlan,
    gateway: &'a GatewayDeployment,
    rendered: &'a RenderedProxy,
}

impl Gateway<'_> {
    /// The name of every object but the account: `<cluster>-<gateway>`.
    fn object_name(&self) -> &str {
        &self.gateway.object
    }

    fn labels(&self) -> Vec<(&str, &str)> {
        let role = match self.proxy.role {
            Role::IngressGateway(_) => "ingress-gateway",
            Role::EastWestGateway(_) => "east-west-gateway",
            Role::EgressGateway(_) => "egress-gateway",
            Role::Sidecar(_) => "sidecar",
        };
        let own = self.gateway.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        [(NAME, self.object_name()), (COMPONENT, role)].into_iter().chain(own).collect()
    }

    fn selector(&self) -> [(&str, &str); 1] {
        [(NAME, self.object_name())]
    }

    fn metadata(&self) -> Value {
        metadata(self.object_name(), &self.cluster.mesh_namespace, &self.labels())
    }

    fn of_pods(&self) -> Value {
        let metadata = Map::new().with("labels", managed(&self.labels()));
        let annotations = &self.gateway.annotations;
        if annotations.is_empty() {
            return Value::from(metadata);
        }
        let annotations: Map =
            annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Value::from(metadata.with("annotations", Value::from(annotations)))
    }

    fn account(&self) -> Value {
        let metadata = metadata(&self.gateway.account, &self.cluster.mesh_namespace, &self.labels());
        let account = object("v1", "ServiceAccount", metadata).with("automountServiceAccountToken", false);
        Value::from(account)
    }

    /// The Secrets for TLS of its clients, each once, in order.
    fn secrets(&self) -> Vec<String> {
        let all: BTreeSet<_> =
            self.gateway.server_tls_secrets.iter().chain(&self.gateway.client_ca_secrets).cloned().collect();
        all.into_iter().collect()
    }

    fn deployment(&self) -> Value {
        let mut ports: Vec<Value> =
            self.gateway.ports.iter().map(|port| container::port(&port.name, port.listen)).collect();
        ports.extend(container::status_ports());
        let mut proxy = container::proxy(
            self.proxy,
            self.rendered,
            Value::List(ports),
            (&self.gateway.resources, LEAST_MEMORY),
        );
        if let Some(hook) = container::before_the_end(self.cluster, self.rendered) {
            proxy.insert("lifecycle", map! { "preStop" => hook });
        }
        let (mounts, certificates) = container::server_certificates(&self.secrets());
        container::extend(&mut proxy, "volumeMounts", mounts);
        let mut volumes = container::volumes(self.proxy, self.object_name());
        volumes.extend(certificates);
        let pod = map! {
            "serviceAccountName" => self.gateway.account.as_str(),
            "automountServiceAccountToken" => false,
            "terminationGracePeriodSeconds" => container::GATEWAY_GRACE_SECONDS,
            "topologySpreadConstraints" => list![container::apart(&self.selector())],
            "containers" => list![Value::from(proxy)],
            "volumes" => Value::List(volumes),
        };
        let mut spec = Map::new();
        // An autoscaler owns the number: with each apply it would fall back to the declared one.
        if self.gateway.autoscale.is_none() {
            spec.insert("replicas", self.gateway.replicas);
        }
        let spec = spec
            .with("selector", map! { "matchLabels" => labels(&self.selector()) })
            .with("strategy", map! { "rollingUpdate" => map! { "maxSurge" => 1, "maxUnavailable" => 0 } })
            .with("template", map! { "metadata" => self.of_pods(), "spec" => pod });
        Value::from(object("apps/v1", "Deployment", self.metadata()).with("spec", spec))
    }

    fn service(&self) -> Value {
        let ports = self.gateway.ports.iter().map(|port| {
            let GatewayPortPlan { name, number, listen, node_port } = port;
            let mut entry =
                Map::new().with("name", name.as_str()).with("port", *number).with("targetPort", *listen);
            if let Some(node_port) = node_port {
                entry.insert("nodePort", *node_port);
            }
            Value::from(entry)
        });
        let GatewayService { kind, class, annotations, external_traffic, sources } = &self.gateway.service;
        let (kind, balanced, from_outside) = match kind {
            ServiceType::LoadBalancer => ("LoadBalancer", true, true),
            ServiceType::NodePort => ("NodePort", false, true),
            ServiceType::ClusterIp => ("ClusterIP", false, false),
        };
        let mut spec = Map::new().with("type", kind);
        match external_traffic {
            ExternalTraffic::Local if from_outside => {
                spec.insert("externalTrafficPolicy", "Local");
            }
            ExternalTraffic::Local | ExternalTraffic::Cluster => {}
        }
        if let Some(class) = class.as_ref().filter(|_| balanced) {
            spec.insert("loadBalancerClass", class.value.as_str());
        }
        // A single declared address is asked for; load balancers that assign their own ignore the field.
        if let ([Host::Ip(address)], true) = (self.gateway.addresses.as_slice(), balanced) {
            spec.insert("loadBalancerIP", address.to_string());
        }
        if !sources.is_empty() {
            spec.insert("loadBalancerSourceRanges", texts(sources.iter().map(ToString::to_string)));
        }
        let spec =
            spec.with("selector", labels(&self.selector())).with("ports", Value::List(ports.collect()));
        let spec = with_families(spec, self.cluster);
        let metadata = if annotations.is_empty() {
            self.metadata()
        } else {
            annotated(self.object_name(), &self.cluster.mesh_namespace, &self.labels(), annotations)
        };
        Value::from(object("v1", "Service", metadata).with("spec", spec))
    }

    fn autoscaler(&self, autoscale: &Autoscale) -> Value {
        let Autoscale { origin: _, most, cpu, memory } = autoscale;
        let metrics = [("cpu", cpu), ("memory", memory)].into_iter().filter_map(|(name, share)| {
            let target = map! { "type" => "Utilization", "averageUtilization" => u32::from((*share)?) };
            Some(map! { "type" => "Resource", "resource" => map! { "name" => name, "target" => target } })
        });
        let spec = map! {
            "scaleTargetRef" => map! { "apiVersion" => "apps/v1", "kind" => "Deployment", "name" => self.object_name() },
            "minReplicas" => self.gateway.replicas,
            "maxReplicas" => *most,
            "metrics" => Value::List(metrics.collect()),
        };
        Value::from(object("autoscaling/v2", "HorizontalPodAutoscaler", self.metadata()).with("spec", spec))
    }

    fn policies(&self) -> Vec<Value> {
        let mut ports: Vec<u16> = self.gateway.ports.iter().map(|port| port.listen).collect();
        ports.extend([READINESS_PORT, METRICS_PORT]);
        ports.sort_unstable();
        ports.dedup();
        let namespace = &self.cluster.mesh_namespace;
        let open = [rule(&ports, None)];
        let mut documents = vec![network_policy(self.object_name(), namespace, &self.selector(), &open)];
        if self.gateway.replicas > 1 {
            documents.push(container::budget(self.metadata(), &self.selector()));
        }
        documents
    }
}
