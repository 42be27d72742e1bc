//! The variants of an operation, by their places in its table.

use super::shape::Operation;
use crate::cpu::Level;
use crate::registry;

/// Place, name and level of every variant that this build has, best first.
pub(super) fn built(operation: Operation) -> impl Iterator<Item = (u8, &'static str, Level)> {
    (0..=u8::MAX)
        .map_while(move |place| Some((place, registry::variant(operation, place)?)))
        .filter_map(|(place, (name, level, built))| built.then_some((place, name, level)))
}

/// The place of the variant called `name`, if this build has it.
pub(super) fn place(operation: Operation, name: &str) -> Option<u8> {
    built(operation).find(|(_, other, _)| *other == name).map(|(place, ..)| place)
}

/// The name of the variant at `place`; places come from [`built`].
pub(super) fn name(operation: Operation, place: u8) -> &'static str {
    registry::variant(operation, place).map_or("", |(name, ..)| name)
}
