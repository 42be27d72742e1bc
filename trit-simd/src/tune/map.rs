//! A table of fixed size from shapes to what is known of them.

use super::shape::Shape;

/// Open addressing with linear probing. Nothing is ever removed, so a search ends at a free slot.
#[derive(Debug, Clone)]
pub(crate) struct Map<V, const N: usize> {
    slots: [Option<(Shape, V)>; N],
    len: usize,
}

impl<V, const N: usize> Map<V, N> {
    pub(crate) const fn new() -> Self {
        Self { slots: [const { None }; N], len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The slot of `shape`, or the free one that it would take; `None` if it is absent and all slots
    /// are taken.
    #[inline]
    fn slot(&self, shape: Shape) -> Option<usize> {
        let start = shape.spread(N);
        let free_or_same = |&slot: &usize| match &self.slots[slot] {
            Some((other, _)) => *other == shape,
            None => true,
        };
        (start..N).chain(0..start).find(free_or_same)
    }

    #[inline]
    pub(crate) fn get(&self, shape: Shape) -> Option<&V> {
        self.slots[self.slot(shape)?].as_ref().map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, shape: Shape) -> Option<&mut V> {
        let slot = self.slot(shape)?;
        self.slots[slot].as_mut().map(|(_, value)| value)
    }

    /// Puts a value in, over one that was there; `false` if there is no room.
    pub(crate) fn insert(&mut self, shape: Shape, value: V) -> bool {
        let Some(slot) = self.slot(shape) else { return false };
        self.len += usize::from(self.slots[slot].is_none());
        self.slots[slot] = Some((shape, value));
        true
    }

    /// All there is, by shape. Takes a pass over the slots for each, as nothing can be sorted without
    /// memory to do it in.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Shape, &V)> {
        let mut last = None;
        core::iter::from_fn(move || {
            let entries = self.slots.iter().flatten();
            let (shape, value) =
                entries.filter(|(shape, _)| Some(*shape) > last).min_by_key(|(shape, _)| *shape)?;
            last = Some(*shape);
            Some((*shape, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::Operation;

    fn shape(rows: usize) -> Shape {
        Shape::new(Operation::TernaryT4, rows, 64, 1, 1)
    }

    #[test]
    fn holds_exactly_its_capacity() {
        let mut map = Map::<usize, 7>::new();
        for rows in 1..=7 {
            assert!(map.insert(shape(rows), rows));
        }
        assert!(!map.insert(shape(8), 8) && map.get(shape(8)).is_none());
        assert!(map.insert(shape(3), 33));
        assert_eq!((map.get(shape(3)), map.len()), (Some(&33), 7));
        assert!((1..=7).all(|rows| map.get(shape(rows)).is_some()));
        let rows = map.iter().map(|(shape, _)| shape.rows());
        assert!(rows.eq(1..=7));
    }

    #[test]
    fn a_table_of_nothing_holds_nothing() {
        let mut map = Map::<usize, 0>::new();
        assert!(!map.insert(shape(1), 1) && map.get(shape(1)).is_none());
        assert_eq!((map.len(), map.iter().count()), (0, 0));
        assert!(map.get_mut(shape(1)).is_none());
    }
}
