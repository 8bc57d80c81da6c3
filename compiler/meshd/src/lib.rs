//! From a plan to the configuration of meshd.
