//! From a plan to Envoy v3 configuration.
