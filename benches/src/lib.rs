//! Shapes and inputs shared by the criterion benchmarks.
