//! From a plan and rendered proxies to Kubernetes manifests.
