//! What the test matrix runs, and where.
