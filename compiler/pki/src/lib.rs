//! Roots, intermediates and workload certificates.
