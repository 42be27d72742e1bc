//! Kernels for networks with ternary weights, equal bit for bit on every instruction set.
#![no_std]
