//! Whisper with ternary weights on small CPUs.
#![cfg_attr(not(feature = "std"), no_std)]
