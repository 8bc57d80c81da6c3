//! Envoy's rate-limit protocol: the service that counts, and the client that asks.
