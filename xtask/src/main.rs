//! Developer tasks, one command each.

fn main() {}
