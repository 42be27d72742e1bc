//! Aligns a window's tokens with its frames, as openai-whisper's `timing.py`: attention of the
//! decoder's alignment heads over the audio, normalised over tokens, smoothed over frames, averaged
//! over heads, and dynamic time warping through the result.
//!
//! The matrix of a window, tokens × frames × heads, is never in memory. What is kept are the queries
//! of the alignment heads, a twentieth of it; weights come from them and the cached keys, 64 frames at
//! a time. Warping goes frame by frame, so that it needs a column of costs and two bits for each token
//! and frame of which way a path came.
//!
//! Scores are float products of the queries with the keys as they are cached, in ascending order of
//! columns. In 7 bits the keys are those that attention reads, and the queries are not rounded.

use core::ops::Range;

use trit_core::reference::math;

use crate::arena::{Arena, size};
use crate::config::Config;
use crate::network::Cache;

/// Frames whose weights are computed at once.
const TILE: usize = 64;

/// Frames on either side that the median of seven reads.
const REACH: usize = 3;

/// Frames of a tile with those around it.
const WIDE: usize = TILE + 2 * REACH;

/// A decoder block and one of its heads.
pub(crate) type Head = [u16; 2];

/// Tokens of the longest sequence aligned: start, language, task, no timestamps, the window's text, end.
pub(crate) const fn rows(config: &Config) -> usize {
    let rows = config.sample_len() + 5;
    if rows < config.text_ctx() { rows } else { config.text_ctx() }
}

/// Buffers for aligning a window.
pub(crate) struct Aligner<'a> {
    heads: &'a [Head],
    /// Columns of a head.
    width: usize,
    /// Tokens whose queries there is room for.
    rows: usize,
    /// `[heads, rows, width]`.
    queries: &'a mut [f32],
    /// Largest score and sum of exponentials of `[heads, rows]`.
    softmax: &'a mut [[f32; 2]],
    /// One head's keys of a tile, transposed, `[width, WIDE]`.
    keys: &'a mut [f32],
    /// One head's weights of a tile, `[rows, WIDE]`.
    weights: &'a mut [f32],
    /// The sum over heads, `[TILE, rows]`.
    sums: &'a mut [f32],
    warp: Warp<'a>,
}

impl<'a> Aligner<'a> {
    /// Bytes that [`take`](Self::take) takes.
    pub(crate) fn bytes(config: &Config, heads: usize) -> usize {
        let (rows, width) = (rows(config), head_width(config));
        size::<f32>(heads * rows * width)
            + size::<[f32; 2]>(heads * rows)
            + size::<f32>(width * WIDE)
            + size::<f32>(rows * WIDE)
            + size::<f32>(TILE * rows)
            + Warp::bytes(rows, config.audio_ctx())
    }

    /// Room to align with `heads`; `None` when the arena is too small.
    pub(crate) fn take(config: &Config, heads: &'a [Head], arena: &mut Arena<'a>) -> Option<Self> {
        let (rows, width) = (rows(config), head_width(config));
        Some(Self {
            heads,
            width,
            rows,
            queries: arena.take(heads.len() * rows * width)?,
            softmax: arena.take(heads.len() * rows)?,
            keys: arena.take(width * WIDE)?,
            weights: arena.take(rows * WIDE)?,
            sums: arena.take(TILE * rows)?,
            warp: Warp::take(rows, config.audio_ctx(), arena)?,
        })
    }

    /// Keeps the alignment heads' part of the queries `[columns]` that decoder block `layer` puts to
    /// the audio for the token at `position`, in 0..[`rows`].
    pub(crate) fn record(&mut self, layer: usize, position: usize, queries: &[f32]) {
        for (index, &[of, head]) in self.heads.iter().enumerate() {
            if usize::from(of) == layer && position < self.rows {
                let from = usize::from(head) * self.width;
                self.queries[(index * self.rows + position) * self.width..][..self.width]
                    .copy_from_slice(&queries[from..from + self.width]);
            }
        }
    }

    /// Aligns all but the last of the `tokens` recorded, whose normalisation counts those before
    /// `tokens` too, with the first `frames` frames, whose keys are in `caches`, and writes the frame
    /// at which each begins to `first`.
    pub(crate) fn align(
        &mut self,
        caches: &[Cache<'_>],
        rows: Range<usize>,
        frames: usize,
        first: &mut [u32],
    ) {
        for index in 0..self.heads.len() {
            self.normalisers(caches, index, rows.end, frames);
        }
        let tokens = rows.len() - 1;
        self.warp.start(tokens);
        for start in (0..frames).step_by(TILE) {
            let tile = TILE.min(frames - start);
            self.sums[..tile * tokens].fill(0.0);
            for index in 0..self.heads.len() {
                self.add_head(caches, index, rows.clone(), start, tile, frames);
            }
            let heads = self.heads.len() as f32;
            for column in self.sums[..tile * tokens].chunks_exact_mut(tokens) {
                for weight in column.iter_mut() {
                    *weight = -(*weight / heads);
                }
                self.warp.push(column);
            }
        }
        self.warp.path(first);
    }

    /// The softmax's largest score and sum of one head for every token, tile by tile.
    fn normalisers(&mut self, caches: &[Cache<'_>], index: usize, to: usize, frames: usize) {
        let softmax = index * self.rows..index * self.rows + to;
        self.softmax[softmax.clone()].fill([f32::NEG_INFINITY, 0.0]);
        for start in (0..frames).step_by(TILE) {
            let tile = TILE.min(frames - start);
            self.scores(caches, index, to, start, tile);
            let rows = self.weights.chunks_exact(WIDE);
            for ([most, total], scores) in self.softmax[softmax.clone()].iter_mut().zip(rows) {
                let scores = &scores[..tile];
                let larger = scores.iter().fold(*most, |most, &x| if x > most { x } else { most });
                // Before the first tile the sum is 0, whatever it is multiplied with.
                *total *= math::exp(*most - larger);
                for score in scores {
                    *total += math::exp(score - larger);
                }
                *most = larger;
            }
        }
    }

    /// Scores of one head for the first `to` tokens and `count` frames from `start` on, into `weights`.
    fn scores(
        &mut self,
        caches: &[Cache<'_>],
        index: usize,
        to: usize,
        start: usize,
        count: usize,
    ) {
        let [layer, head] = self.heads[index].map(usize::from);
        let width = self.width;
        caches[layer].keys_t(head, start..start + count, WIDE, self.keys);
        let scale = 1.0 / libm::sqrtf(width as f32);
        let queries = &self.queries[index * self.rows * width..];
        let rows = queries.chunks_exact(width).zip(self.weights.chunks_exact_mut(WIDE));
        for (query, scores) in rows.take(to) {
            let scores = &mut scores[..count];
            scores.fill(0.0);
            for (q, keys) in query.iter().zip(self.keys.chunks_exact(WIDE)) {
                let q = q * scale;
                for (score, key) in scores.iter_mut().zip(keys) {
                    *score += q * key;
                }
            }
        }
    }

    /// Adds one head's normalised and smoothed weights of a tile to the sums.
    fn add_head(
        &mut self,
        caches: &[Cache<'_>],
        index: usize,
        tokens: Range<usize>,
        start: usize,
        tile: usize,
        frames: usize,
    ) {
        let (to, kept) = (tokens.end, tokens.len() - 1);
        let begin = start.saturating_sub(REACH);
        let end = (start + tile + REACH).min(frames);
        let count = end - begin;
        self.scores(caches, index, to, begin, count);
        let softmax = &self.softmax[index * self.rows..][..to];
        for (&[most, total], row) in softmax.iter().zip(self.weights.chunks_exact_mut(WIDE)) {
            for weight in &mut row[..count] {
                *weight = math::exp(*weight - most) / total;
            }
        }
        for frame in 0..count {
            standardise(self.weights, frame, to);
        }
        for at in start..start + tile {
            let sums = &mut self.sums[(at - start) * kept..][..kept];
            let rows = self.weights.chunks_exact(WIDE).skip(tokens.start);
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum += smooth(&row[..count], at, begin, frames);
            }
        }
    }
}

/// Columns of a head.
fn head_width(config: &Config) -> usize {
    config.state() / config.n_text_head.max(1) as usize
}

/// Takes the mean over the first `rows` tokens off column `frame` and divides it by the standard
/// deviation; a column without any becomes zeros.
fn standardise(weights: &mut [f32], frame: usize, rows: usize) {
    let column = || weights.chunks_exact(WIDE).take(rows).map(|row| row[frame]);
    let count = rows as f32;
    let mean = column().fold(0.0, |sum, x| sum + x) / count;
    let variance = column().fold(0.0, |sum, x| sum + (x - mean) * (x - mean)) / count;
    let deviation = libm::sqrtf(variance);
    for row in weights.chunks_exact_mut(WIDE).take(rows) {
        row[frame] = if deviation > 0.0 { (row[frame] - mean) / deviation } else { 0.0 };
    }
}

/// The median of the seven weights around frame `at`, reflected at both ends; `row` begins at frame
/// `begin` and holds all that are within reach. Of fewer than four frames there is no reflection, and
/// the weight itself is taken.
fn smooth(row: &[f32], at: usize, begin: usize, frames: usize) -> f32 {
    if frames <= REACH {
        return row[at - begin];
    }
    let mut seven = [0.0; 2 * REACH + 1];
    for (n, value) in seven.iter_mut().enumerate() {
        let frame = (at + n).abs_diff(REACH);
        let frame = if frame < frames { frame } else { 2 * (frames - 1) - frame };
        *value = row[frame - begin];
    }
    seven.sort_unstable_by(f32::total_cmp);
    seven[REACH]
}

/// Dynamic time warping of tokens and frames, frame by frame.
struct Warp<'a> {
    tokens: usize,
    frames: usize,
    /// Least cost of a path up to each token at the last frame, after one of no token.
    costs: &'a mut [f32],
    /// Two bits for each frame and token: [`Step`].
    steps: &'a mut [u8],
}

/// Where a path came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The token before, at the frame before.
    Both = 0,
    /// The token before, at the same frame.
    Token = 1,
    /// The same token, at the frame before.
    Frame = 2,
}

impl<'a> Warp<'a> {
    fn bytes(tokens: usize, frames: usize) -> usize {
        size::<f32>(tokens + 1) + size::<u8>((tokens * frames).div_ceil(4))
    }

    fn take(tokens: usize, frames: usize, arena: &mut Arena<'a>) -> Option<Self> {
        let (costs, steps) = (arena.take(tokens + 1)?, arena.take((tokens * frames).div_ceil(4))?);
        Some(Self { tokens: 0, frames: 0, costs, steps })
    }

    /// Begins with `tokens` tokens.
    fn start(&mut self, tokens: usize) {
        (self.tokens, self.frames) = (tokens, 0);
        self.costs[..=tokens].fill(f32::INFINITY);
        self.costs[0] = 0.0;
    }

    /// Adds a frame that costs `column` with each token. Of equal ways the later frame is taken, as
    /// by openai-whisper.
    fn push(&mut self, column: &[f32]) {
        let mut both = self.costs[0];
        for (token, cost) in column.iter().enumerate() {
            let (same_frame, same_token) = (self.costs[token], self.costs[token + 1]);
            // A frame before the first token has no finite cost.
            let same_frame = if token == 0 { f32::INFINITY } else { same_frame };
            let (least, step) = if both < same_frame && both < same_token {
                (both, Step::Both)
            } else if same_frame < both && same_frame < same_token {
                (same_frame, Step::Token)
            } else {
                (same_token, Step::Frame)
            };
            both = same_token;
            self.costs[token + 1] = least + cost;
            let at = self.frames * self.tokens + token;
            let shift = at % 4 * 2;
            self.steps[at / 4] = self.steps[at / 4] & !(3 << shift) | (step as u8) << shift;
        }
        self.costs[0] = f32::INFINITY;
        self.frames += 1;
    }

    /// Walks back along the cheapest path to the last token and frame and writes each token's first
    /// frame.
    fn path(&self, first: &mut [u32]) {
        let (mut token, mut frame) = (self.tokens, self.frames);
        while token > 0 && frame > 0 {
            first[token - 1] = (frame - 1) as u32;
            let at = (frame - 1) * self.tokens + token - 1;
            let step = self.steps[at / 4] >> (at % 4 * 2) & 3;
            token -= usize::from(step != Step::Frame as u8);
            frame -= usize::from(step != Step::Token as u8);
        }
        // Reached only if costs are not numbers: the tokens left are at the beginning.
        first[..token].fill(0);
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use serde_json::Value;

    use super::*;

    /// openai-whisper's paths through the same matrices, some of which have many equal ways.
    #[test]
    fn paths_are_openais() {
        let fixture: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/words.json")).unwrap();
        for case in fixture["warps"].as_array().unwrap() {
            let number = |name: &str| case[name].as_u64().unwrap() as usize;
            let (tokens, frames, steps) = (number("tokens"), number("frames"), number("steps"));
            let mut memory = vec![0; Warp::bytes(tokens, frames) + crate::arena::ALIGNMENT];
            let mut warp = Warp::take(tokens, frames, &mut Arena::new(&mut memory)).unwrap();
            warp.start(tokens);
            let mut state = (tokens * frames) as u32;
            for _ in 0..frames {
                let column = (0..tokens).map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    -(((state >> 16) as usize % steps) as f32 / steps as f32)
                });
                warp.push(&column.collect::<Vec<_>>());
            }
            let mut first = vec![u32::MAX; tokens];
            warp.path(&mut first);
            let expected =
                case["first"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as u32);
            assert_eq!(first, expected.collect::<Vec<_>>(), "{tokens} tokens, {frames} frames");
        }
    }

    #[test]
    fn medians_are_reflected_at_both_ends() {
        // Frames 0 to 9 hold their own numbers.
        let row: Vec<f32> = (0..10u8).map(f32::from).collect();
        // 3 2 1 0 1 2 3, and 6 7 8 9 8 7 6.
        assert_eq!(smooth(&row, 0, 0, 10), 2.0);
        assert_eq!(smooth(&row, 9, 0, 10), 7.0);
        assert_eq!(smooth(&row, 5, 0, 10), 5.0);
        assert_eq!(smooth(&row[4..], 9, 4, 10), 7.0);
        // Four frames are the fewest that can be reflected: 3 2 1 0 1 2 3.
        assert_eq!(smooth(&row[..4], 0, 0, 4), 2.0);
        assert_eq!(smooth(&row[..3], 1, 0, 3), 1.0);
    }
}
