//! The tuner: searches over simulated variants and noise, and what is kept of them.

mod search;
mod state;
