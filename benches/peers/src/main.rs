//! The same ternary products by trit and by published crates: one thread, in turns, in one table.
//!
//! `cargo xtask peers` runs it and says which machine it was.

#[cfg(any(test, feature = "whisper"))]
mod ggml;
mod peers;
#[cfg(feature = "whisper")]
mod whisper;
mod work;

use std::cell::RefCell;
use std::env;
use std::num::NonZero;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use trit_benches::SHAPES;
use trit_benches::turns::Turns;

use peers::Peer;
use work::Work;

/// Tokens: decoding, a block of an encoder, and the whole window of Whisper's.
const TOKENS: [usize; 3] = [1, 128, 1500];

/// A measurement takes at least so long.
const LEAST: Duration = Duration::from_millis(3);

/// Rounds at least, however long they take.
const LEAST_ROUNDS: usize = 3;

/// Times trit's products beside those of published crates.
#[derive(Parser)]
struct Arguments {
    /// Only works whose name has this in it, as "768x768 M=1"
    filter: Option<String>,
    /// Rounds of each work, but no fewer than three; with whole models that many [default: 25; with
    /// whole models 5]
    #[arg(long)]
    rounds: Option<NonZero<usize>>,
    /// Seconds after which a work gets no further round
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// A peer whose call would take longer than this many seconds is left out
    #[arg(long, default_value_t = 1.0)]
    longest: f64,
    /// Instead of products, whole models of this size beside whisper.cpp
    #[cfg(feature = "whisper")]
    #[arg(long, value_name = "SIZE")]
    whisper: Option<ggml::Size>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        env::var("RAYON_NUM_THREADS").is_ok_and(|threads| threads == "1"),
        "set RAYON_NUM_THREADS=1, as `cargo xtask peers` does: peers would take all cores"
    );
    #[cfg(feature = "whisper")]
    if let Some(size) = arguments.whisper {
        return whisper::run(size, arguments.rounds.map_or(5, NonZero::get));
    }
    let mut table = Table::default();
    for tokens in TOKENS {
        for (rows, k) in SHAPES {
            let name = format!("{rows}x{k} M={tokens}");
            if arguments.filter.as_ref().is_none_or(|part| name.contains(part)) {
                eprintln!("{name}");
                table.add(measure(&arguments, &table, name, rows, k, tokens)?);
            }
        }
    }
    ensure!(!table.rows.is_empty(), "no work matches");
    println!("{}", table.markdown());
    Ok(())
}

/// What the peers did with one work.
struct Row {
    work: String,
    /// Multiply-accumulates a second and relative error, in the order of [`Peer::ALL`]; nothing of a
    /// peer that was too slow.
    figures: [Option<Figure>; Peer::ALL.len()],
}

#[derive(Debug, Clone, Copy)]
struct Figure {
    rate: f64,
    error: f64,
}

/// Runs all peers on one work in turns.
fn measure(
    arguments: &Arguments,
    table: &Table,
    name: String,
    rows: usize,
    k: usize,
    tokens: usize,
) -> Result<Row> {
    let work = Work::new(rows, k, tokens)?;
    let failure = RefCell::new(None);
    let mut turns = Turns::new(LEAST);
    let mut runs = Vec::new();
    for (place, peer) in Peer::ALL.into_iter().enumerate() {
        if table.latest(place).is_some_and(|rate| work.macs() / rate > arguments.longest) {
            continue;
        }
        let mut product = peer.prepare(&work).with_context(|| format!("{peer}"))?;
        product.run().with_context(|| format!("{peer}"))?;
        runs.push((place, work.error(&product.output()?)?));
        let failure = &failure;
        turns.add(move || {
            if let Err(error) = product.run() {
                failure.replace(Some(error));
            }
        });
    }
    let start = Instant::now();
    for round in 0..arguments.rounds.map_or(25, NonZero::get).max(LEAST_ROUNDS) {
        if round >= LEAST_ROUNDS && start.elapsed().as_secs_f64() > arguments.seconds {
            break;
        }
        turns.round();
    }
    let times = turns.times();
    if let Some(error) = failure.take() {
        return Err(error);
    }
    let mut figures = [None; Peer::ALL.len()];
    for ((place, error), times) in runs.into_iter().zip(times) {
        figures[place] = Some(Figure { rate: work.macs() / times.median(), error });
    }
    Ok(Row { work: name, figures })
}

/// All that was measured.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

impl Table {
    fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// What the peer did last.
    fn latest(&self, place: usize) -> Option<f64> {
        self.rows.iter().rev().find_map(|row| Some(row.figures[place]?.rate))
    }

    /// One row a work, GMAC/s; then what each column is, and how exact.
    fn markdown(&self) -> String {
        let mut out = "| rows × k, tokens |".to_owned();
        for peer in Peer::ALL {
            out += &format!(" {peer} |");
        }
        out += " ratio to the best |\n|---|";
        out += &"---:|".repeat(Peer::ALL.len());
        out += "---|\n";
        for row in &self.rows {
            out += &format!("| {} |", row.work);
            for figure in row.figures {
                let rate =
                    figure.map_or("–".to_owned(), |figure| format!("{:.1}", figure.rate / 1e9));
                out += &format!(" {rate} |");
            }
            let ratio =
                row.ratio().map_or("–".to_owned(), |(ratio, peer)| format!("{ratio:.2} {peer}"));
            out += &format!(" {ratio} |\n");
        }
        out += "\nGMAC/s, medians. The ratio is to the peer that comes nearest to trit with the same kind of \
                activations. –: a call would take too long.\n\n| column | is | relative error |\n|---|---|---:|\n";
        for (place, peer) in Peer::ALL.into_iter().enumerate() {
            let figures = self.rows.iter().filter_map(|row| row.figures[place]);
            let worst = figures.map(|figure| figure.error).max_by(f64::total_cmp);
            let error = match worst {
                None => "–".to_owned(),
                Some(0.0) => "0".to_owned(),
                Some(error) => format!("{error:.0e}"),
            };
            out += &format!("| {peer} | {} | {error} |\n", peer.about());
        }
        out
    }
}

impl Row {
    /// The least of trit's rates over a peer's with the same kind of activations, and that peer.
    fn ratio(&self) -> Option<(f64, Peer)> {
        let rate = |peer: Peer| {
            let place = Peer::ALL.into_iter().position(|other| other == peer)?;
            Some(self.figures[place]?.rate)
        };
        let ratios = Peer::ALL
            .into_iter()
            .filter_map(|peer| Some((rate(peer.opponent()?)? / rate(peer)?, peer)));
        ratios.min_by(|(a, _), (b, _)| a.total_cmp(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_computes_the_product() {
        // k is a multiple of candle's and tritium's blocks of 256; neither rows nor tokens of 16.
        for tokens in [1, 5] {
            let work = Work::new(40, 512, tokens).unwrap();
            for peer in Peer::ALL {
                let mut product = peer.prepare(&work).unwrap();
                product.run().unwrap();
                let error = work.error(&product.output().unwrap()).unwrap();
                let bound = match peer {
                    Peer::CandleQ4 => 0.1,
                    Peer::CandleQ8 => 0.02,
                    Peer::Tritium | Peer::CandleF32 => 1e-6,
                    Peer::Rten | Peer::TritFloats | Peer::Trit => 0.0,
                };
                assert!(error <= bound, "{peer}: {error}");
            }
        }
    }

    #[test]
    fn the_ratio_is_to_the_nearest_of_the_same_kind() {
        let figure = |rate| Some(Figure { rate, error: 0.0 });
        let figures =
            [None, figure(10.0), figure(8.0), None, figure(30.0), figure(40.0), figure(60.0)];
        let row = Row { work: "1x1 M=1".to_owned(), figures };
        assert_eq!(row.ratio(), Some((2.0, Peer::Rten)));
        let table = Table { rows: vec![row] };
        assert_eq!((table.latest(0), table.latest(1)), (None, Some(10.0)));
        let page = table.markdown();
        assert!(page.contains("| 2.00 rten int8 |"), "{page}");
    }
}
