//! The plot: ceilings as lines, kernels as points below them.

use std::error::Error;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use trit_benches::roofline::{Product, Roofline};
use trit_simd::Level;

use super::{FIRST_CACHE, bandwidth, size};
use crate::machine::Machine;

/// Width and height in pixels.
const SIZE: (u32, u32) = (1000, 640);

/// Multiply-accumulates a byte, left and right.
const INTENSITIES: [f64; 2] = [0.5, 600.0];

/// Where the ceilings of multiplying have their names: between one token and many.
const BETWEEN: f64 = 30.0;

/// Sizes of memory whose bandwidth is drawn; and that of the largest measured.
const SPANS: [usize; 3] = [FIRST_CACHE, 256 << 10, 8 << 20];

/// Colours of the kernels' levels and designs, in the order in which they are met.
const COLOURS: [RGBColor; 7] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
    RGBColor(23, 190, 207),
    RGBColor(110, 110, 110),
];

const FONT: (&str, u32) = ("sans-serif", 14);

/// The plot as SVG.
///
/// # Errors
/// The library refuses to draw.
pub(super) fn draw(machine: &Machine, roofline: &Roofline) -> Result<String> {
    let mut svg = String::new();
    // The library's errors borrow what is drawn on.
    draw_on(&mut svg, machine, roofline).map_err(|error| anyhow!("drawing: {error}"))?;
    Ok(svg + "\n")
}

fn draw_on<'a>(
    svg: &'a mut String,
    machine: &Machine,
    roofline: &Roofline,
) -> Result<(), Box<dyn Error + 'a>> {
    let [left, right] = INTENSITIES;
    let [bottom, top] = rates(roofline);
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(format!("{}, one thread: ● T4, ▲ T5", machine.title()), ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d((left..right).log_scale(), (bottom..top).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(BLACK.mix(0.08))
        .x_desc("multiply-accumulates a byte of weights, activations and outputs")
        .y_desc("GMAC/s")
        .x_label_formatter(&|intensity| intensity.to_string())
        .y_label_formatter(&|rate| rate.to_string())
        .label_style(FONT)
        .draw()?;

    // Ceilings: reading, up to where multiplying is the lower, and multiplying.
    let peak = roofline.multiply.iter().map(|multiply| multiply.rate / 1e9).fold(bottom, f64::max);
    let best = machine
        .levels
        .iter()
        .find_map(|name| Level::ALL.into_iter().find(|level| level.name() == name.as_str()));
    for (span, rate) in best.into_iter().flat_map(|level| slopes(roofline, level)) {
        let until = (peak / rate).clamp(left, right);
        let line = [(left, left * rate), (until, until * rate)];
        chart.draw_series(LineSeries::new(line, BLACK.mix(0.6)))?;
        let style = FONT.into_font().color(&BLACK.mix(0.8)).pos(Pos::new(HPos::Left, VPos::Top));
        let label = format!("{}: {rate:.0} GB/s", size(span));
        chart.draw_series([Text::new(label, (left * 1.08, left * rate * 0.94), style)])?;
    }
    for (names, rate) in peaks(roofline) {
        chart.draw_series(LineSeries::new([(left, rate), (right, rate)], BLACK.mix(0.6)))?;
        let style =
            FONT.into_font().color(&BLACK.mix(0.8)).pos(Pos::new(HPos::Center, VPos::Bottom));
        let label = format!("{names}: {rate:.0}");
        chart.draw_series([Text::new(label, (BETWEEN, rate), style)])?;
    }

    let mut kinds: Vec<_> = roofline.products.iter().map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for (index, name) in kinds.into_iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let of_kind = roofline.products.iter().filter(|product| kind(product) == name);
        let points: Vec<_> = of_kind.map(|p| (p, (p.intensity(), p.rate / 1e9))).collect();
        let (t5, t4): (Vec<_>, Vec<_>) =
            points.into_iter().partition(|(product, _)| product.kernel.contains("_t5_"));
        chart
            .draw_series(t4.into_iter().map(|(_, at)| Circle::new(at, 4, colour.filled())))?
            .label(name)
            .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
        let triangle = |(_, at)| TriangleMarker::new(at, 5, colour.filled());
        chart.draw_series(t5.into_iter().map(triangle))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.filled())
        .border_style(BLACK.mix(0.2))
        .label_font(FONT)
        .draw()?;
    root.present()?;
    Ok(())
}

/// The lowest and the highest rate to show, in GMAC/s.
fn rates(roofline: &Roofline) -> [f64; 2] {
    let multiply = roofline.multiply.iter().map(|multiply| multiply.rate);
    let rates = || roofline.products.iter().map(|product| product.rate).chain(multiply.clone());
    let lowest = rates().fold(f64::INFINITY, f64::min).min(20e9);
    let highest = rates().fold(40e9, f64::max);
    [lowest / 1.5e9, highest * 1.4 / 1e9]
}

/// What levels multiply at, in GMAC/s, with the names of those that are alike.
fn peaks(roofline: &Roofline) -> Vec<(String, f64)> {
    let mut peaks: Vec<(String, f64)> = Vec::new();
    for multiply in &roofline.multiply {
        let rate = multiply.rate / 1e9;
        match peaks.iter_mut().find(|(_, other)| (rate / *other - 1.0).abs() < 0.05) {
            Some((names, _)) => *names += &format!(", {}", multiply.level),
            None => peaks.push((multiply.level.clone(), rate)),
        }
    }
    peaks
}

/// Sizes of memory, each with the GB/s that it is read at.
fn slopes(roofline: &Roofline, level: Level) -> Vec<(usize, f64)> {
    let largest = roofline.reads.iter().map(|read| read.bytes).max();
    let rate = |span| Some((span, bandwidth(roofline, level, span)? / 1e9));
    SPANS.into_iter().chain(largest).filter_map(rate).collect()
}

/// What tells a kernel apart from others of its operation: level and design.
fn kind(product: &Product) -> &str {
    product.kernel.split_once("__").map_or("", |(_, kind)| kind)
}
