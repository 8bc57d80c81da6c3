//! The mesh as a graph: paths, localities and failures.
