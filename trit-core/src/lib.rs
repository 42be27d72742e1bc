//! Packed ternary weights: layouts, quantisers, the `.trit` container and reference operations.
#![no_std]
#![forbid(unsafe_code)]
