//! Lengths of Huffman codes, as zlib finds them.

use super::deflate::LITERALS;

/// Lengths of a Huffman code of these counts, none longer than `most` bits; 0 for symbols that do not
/// occur. As zlib's `build_tree`: two symbols have a code at least, of equal nodes the shallower comes
/// first, and codes that are too long are shortened at the cost of others.
pub(super) fn code_lengths(counts: &[u32], most: u8, lengths: &mut [u8]) {
    let mut tree = Tree::new(counts);
    tree.join();
    tree.lengths(most, lengths);
}

/// Leaves and inner nodes of the largest code.
const NODES: usize = 2 * LITERALS + 1;

/// A Huffman tree in the making.
struct Tree {
    count: [u32; NODES],
    depth: [u8; NODES],
    parent: [u16; NODES],
    /// A heap of `len` nodes from 1 on, least first; from `sorted` on, nodes by falling count.
    heap: [u16; NODES],
    len: usize,
    sorted: usize,
    /// Leaves are below it.
    leaves: usize,
}

impl Tree {
    fn new(counts: &[u32]) -> Self {
        let mut tree = Self {
            count: [0; NODES],
            depth: [0; NODES],
            parent: [0; NODES],
            heap: [0; NODES],
            len: 0,
            sorted: NODES,
            leaves: counts.len(),
        };
        tree.count[..counts.len()].copy_from_slice(counts);
        let mut last = None;
        for symbol in 0..counts.len() {
            if counts[symbol] != 0 {
                tree.push(symbol);
                last = Some(symbol);
            }
        }
        // A code of fewer than two symbols gets others that never occur.
        while tree.len < 2 {
            let forced = match last {
                Some(last) if last >= 2 => 0,
                Some(last) => last + 1,
                None => 0,
            };
            if last.is_none_or(|last| last < 2) {
                last = Some(forced);
            }
            tree.count[forced] = 1;
            tree.push(forced);
        }
        for at in (1..=tree.len / 2).rev() {
            tree.sift(at);
        }
        tree
    }

    fn push(&mut self, node: usize) {
        self.len += 1;
        self.heap[self.len] = node as u16;
    }

    fn less(&self, a: u16, b: u16) -> bool {
        let key = |node: u16| (self.count[usize::from(node)], self.depth[usize::from(node)]);
        key(a) <= key(b)
    }

    /// Lets the node at `at` sink to its place.
    fn sift(&mut self, mut at: usize) {
        let node = self.heap[at];
        let mut child = 2 * at;
        while child <= self.len {
            if child < self.len && self.less(self.heap[child + 1], self.heap[child]) {
                child += 1;
            }
            if self.less(node, self.heap[child]) {
                break;
            }
            self.heap[at] = self.heap[child];
            at = child;
            child = 2 * at;
        }
        self.heap[at] = node;
    }

    /// Keeps a node for later, before all others.
    fn keep(&mut self, node: u16) {
        self.sorted -= 1;
        self.heap[self.sorted] = node;
    }

    /// Joins the two least nodes until one is left.
    fn join(&mut self) {
        let mut next = self.leaves;
        while self.len >= 2 {
            let first = self.heap[1];
            self.heap[1] = self.heap[self.len];
            self.len -= 1;
            self.sift(1);
            let second = self.heap[1];
            self.keep(first);
            self.keep(second);
            let [a, b] = [usize::from(first), usize::from(second)];
            self.count[next] = self.count[a] + self.count[b];
            self.depth[next] = self.depth[a].max(self.depth[b]) + 1;
            (self.parent[a], self.parent[b]) = (next as u16, next as u16);
            self.heap[1] = next as u16;
            next += 1;
            self.sift(1);
        }
        self.keep(self.heap[1]);
    }

    /// Lengths of the leaves' codes, none over `most`.
    fn lengths(&self, most: u8, lengths: &mut [u8]) {
        let mut bits = [0u8; NODES];
        let mut of_length = [0u32; 16];
        let mut over = 0i32;
        let is_leaf = |node: usize| node < self.leaves;
        // The first is the root. Parents come before their children.
        for &node in &self.heap[self.sorted + 1..] {
            let node = usize::from(node);
            bits[node] = bits[usize::from(self.parent[node])] + 1;
            if bits[node] > most {
                bits[node] = most;
                over += 1;
            }
            if is_leaf(node) {
                of_length[usize::from(bits[node])] += 1;
            }
        }
        lengths.fill(0);
        if over == 0 {
            lengths.copy_from_slice(&bits[..lengths.len()]);
            return;
        }
        while over > 0 {
            // A leaf that is not as deep as may be goes down, and one that was too deep beside it.
            let most = usize::from(most);
            let from = (1..most).rev().find(|&length| of_length[length] != 0).unwrap_or(1);
            of_length[from] -= 1;
            of_length[from + 1] += 2;
            of_length[most] -= 1;
            over -= 2;
        }
        // The rarest leaves, which come last, get the longest codes.
        let nodes = self.heap[self.sorted..].iter().rev().map(|&node| usize::from(node));
        let mut leaves = nodes.filter(|&node| is_leaf(node));
        for length in (1..=most).rev() {
            for leaf in leaves.by_ref().take(of_length[usize::from(length)] as usize) {
                lengths[leaf] = length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::deflate::LENGTHS;
    use super::*;

    /// Bits of the shortest code without a bound on lengths: the sum of all nodes' counts that joining
    /// the two least, again and again, gives.
    fn shortest(counts: &[u32]) -> u64 {
        let mut nodes: std::vec::Vec<_> =
            counts.iter().filter(|&&count| count > 0).map(|&count| u64::from(count)).collect();
        let mut bits = 0;
        while nodes.len() > 1 {
            nodes.sort_unstable_by(|a, b| b.cmp(a));
            let joined = nodes.pop().unwrap_or(0) + nodes.pop().unwrap_or(0);
            bits += joined;
            nodes.push(joined);
        }
        bits
    }

    fn bits(counts: &[u32], lengths: &[u8]) -> u64 {
        counts.iter().zip(lengths).map(|(&count, &bits)| u64::from(count) * u64::from(bits)).sum()
    }

    proptest! {
        #[test]
        fn codes_are_complete_and_short(
            // Counts that grow like Fibonacci numbers make the deepest trees.
            counts in prop::collection::vec(
                prop_oneof![2 => Just(0u32), 2 => 1u32..9, 2 => (0u32..20).prop_map(|e| 1 << e)],
                LENGTHS,
            ),
            bounded in any::<bool>(),
        ) {
            let most = if bounded { 7 } else { 15 };
            let mut lengths = [0; LENGTHS];
            code_lengths(&counts, most, &mut lengths);
            let used = counts.iter().filter(|&&count| count > 0).count();
            // A code has two symbols at least.
            prop_assert_eq!(lengths.iter().filter(|&&length| length > 0).count(), used.max(2));
            prop_assert!(lengths.iter().all(|&length| length <= most));
            prop_assert!(counts.iter().zip(&lengths).all(|(&count, &length)| count == 0 || length > 0));
            let kraft: f64 =
                lengths.iter().filter(|&&length| length > 0).map(|&l| 0.5f64.powi(l.into())).sum();
            prop_assert_eq!(kraft, 1.0);
            if used > 1 {
                let (found, best) = (bits(&counts, &lengths), shortest(&counts));
                prop_assert!(found >= best);
                if lengths.iter().all(|&length| length < most) {
                    prop_assert_eq!(found, best);
                }
            }
        }

    }
}
