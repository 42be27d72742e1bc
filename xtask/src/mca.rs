//! `cargo xtask mca`: what LLVM's models of ARM CPUs say of every integer microkernel.
//!
//! trit-simd is compiled to assembly with `--cfg trit_mca`, which keeps each microkernel as a
//! function of its own (`arch/aarch64/mca.rs`). Its name says the level, the operation and the
//! tile. Of its loops that hold no other loop, the one with the most products is the inner loop, and
//! `llvm-mca` runs that on the models of the CPUs that the level is for.
//!
//! A model is no CPU: it knows units, latencies and widths, and takes every load from the first
//! cache. The figures choose between designs and show how far a loop is from what the units can do.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use trit_simd::Level;
use xshell::{Shell, cmd};

use crate::{needs, workspace_root};

/// What to model.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only kernels whose line in the table has all of these words
    words: Vec<String>,
    /// Print each inner loop too
    #[arg(long)]
    show: bool,
}

const TARGET: &str = "aarch64-unknown-linux-musl";

/// Runs of the loop that a figure is the mean of: enough for the first to count little.
const ITERATIONS: u32 = 200;

/// The CPU models that each level's kernels are for. LLVM has Neoverse N1's for the Cortex-A76 of
/// the same design, and one model for Cortex-A72 and A73.
const CPUS: [(Level, &[&str]); 4] = [
    (Level::Neon, &["cortex-a53", "cortex-a73"]),
    (Level::Dotprod, &["cortex-a55", "neoverse-n1"]),
    (Level::I8mm, &["cortex-a510", "neoverse-n2", "neoverse-v1"]),
    (Level::Sve, &["a64fx"]),
];

/// The first LLVM with all of these models, and one that is yet to come.
const LLVM: std::ops::Range<u32> = 17..40;

/// Bits of the one vector length that a model with SVE kernels has, A64FX's.
const SVE_BITS: usize = 512;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root()?);
    let mca = find_mca(&shell)?;
    let assembly = assembly(&shell)?;
    let kernels = kernels(&assembly)?;
    ensure!(!kernels.is_empty(), "no microkernel in the assembly");

    println!("{:<22} {:<12} {:>7} {:>9}  bound by", "kernel", "model", "cycles", "MAC/cycle");
    for kernel in &kernels {
        let mut matched = false;
        for cpu in kernel.cpus {
            let line = format!("{:<22} {cpu:<12}", kernel.name());
            if !arguments.words.iter().all(|word| line.contains(word.as_str())) {
                continue;
            }
            let report = model(&shell, &mca, cpu, &kernel.inner.text)
                .with_context(|| format!("the inner loop of {}", kernel.name()))?;
            let rate = kernel.inner.products as f64 / report.cycles;
            println!("{line} {:>7.1} {rate:>9.1}  {}", report.cycles, report.bound);
            matched = true;
        }
        if matched && arguments.show {
            println!("\n{}", kernel.inner.text);
        }
    }
    Ok(())
}

/// The newest `llvm-mca` in the path: Debian installs one for each LLVM beside the default.
fn find_mca(shell: &Shell) -> Result<String> {
    let numbered = LLVM.rev().map(|major| format!("llvm-mca-{major}"));
    let names = numbered.chain(["llvm-mca".to_owned()]);
    for mca in names.filter_map(|name| needs::find_program(&name)) {
        let version = cmd!(shell, "{mca} --version").quiet().read()?;
        if major(&version).is_some_and(|major| LLVM.contains(&major)) {
            return Ok(mca);
        }
    }
    bail!(
        "llvm-mca of LLVM {} or later is not in the path. On Debian: apt install llvm-19",
        LLVM.start
    )
}

/// The major number in the text of `llvm-mca --version`.
fn major(text: &str) -> Option<u32> {
    text.split_once("LLVM version ")?.1.split('.').next()?.parse().ok()
}

/// The assembly of trit-simd for 64-bit ARM.
fn assembly(shell: &Shell) -> Result<String> {
    needs::rust_target(shell, TARGET)?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("trit_simd.s");
    let emit = format!("asm={}", out.display());
    // With link-time optimisation there would be no machine code before linking.
    let _lto = shell.push_env("CARGO_PROFILE_RELEASE_LTO", "off");
    cmd!(
        shell,
        "cargo rustc --quiet --package trit-simd --lib --release --target {TARGET} --
        --emit {emit} --cfg trit_mca -C codegen-units=1 -C symbol-mangling-version=v0
        -C debuginfo=0"
    )
    .quiet()
    .run()?;
    Ok(std::fs::read_to_string(&out)?)
}

/// A microkernel and its inner loop.
struct Kernel<'a> {
    level: Level,
    /// The models to run it on.
    cpus: &'static [&'static str],
    /// The method of `DotKernels`.
    method: &'a str,
    /// Rows and tokens.
    tile: (u32, u32),
    inner: Loop,
}

impl Kernel<'_> {
    fn name(&self) -> String {
        let (rows, tokens) = self.tile;
        format!("{}__{}_{rows}x{tokens}", self.method, self.level)
    }
}

/// Lines of assembly that loop.
#[derive(Debug, PartialEq, Eq)]
struct Loop {
    text: String,
    /// Multiplications and additions of weight and activation that one iteration makes.
    products: usize,
}

/// The microkernels, in the order of [`CPUS`] and then by name.
fn kernels(assembly: &str) -> Result<Vec<Kernel<'_>>> {
    let functions = functions(assembly);
    let mut kernels = Vec::new();
    for (symbol, body) in &functions {
        let Some((level, method, tile)) = parse(symbol) else { continue };
        let inner = inner_loop(body, &functions)
            .with_context(|| format!("`{symbol}` has no loop with products"))?;
        let place = CPUS.iter().position(|(of, _)| *of == level);
        let place = place.with_context(|| format!("the level {level} has no models"))?;
        kernels.push((place, Kernel { level, cpus: CPUS[place].1, method, tile, inner }));
    }
    kernels.sort_by_key(|(place, kernel)| (*place, kernel.method, kernel.tile));
    Ok(kernels.into_iter().map(|(_, kernel)| kernel).collect())
}

/// The lines of each function, by symbol.
fn functions(assembly: &str) -> HashMap<&str, Vec<&str>> {
    let mut functions = HashMap::new();
    let mut current: Option<(&str, Vec<&str>)> = None;
    for line in assembly.lines() {
        if let Some(symbol) = line.strip_suffix(':').filter(|symbol| symbol.starts_with("_R")) {
            current = Some((symbol, Vec::new()));
        } else if line.starts_with(".Lfunc_end") {
            functions.extend(current.take());
        } else if let Some((_, lines)) = &mut current {
            lines.push(line.trim());
        }
    }
    functions
}

/// Level, method and tile of a microkernel, from its symbol:
/// `_RINvXNtNtNtCs…_9trit_simd4arch7aarch644neonNtNtB9_3cpu4NeonNtB7_10DotKernels6dot_t4Kj4_EB9_`
/// is `dot_t4::<4>` in the file of the level `neon`.
fn parse(symbol: &str) -> Option<(Level, &str, (u32, u32))> {
    let (path, method) = symbol.split_once("10DotKernels6")?;
    let file = path.split_once("7aarch64")?.1.trim_start_matches(|c: char| c.is_ascii_digit());
    // `i8mm` is in the symbol as `4i8mm`.
    let level = Level::ALL.into_iter().find(|level| file.starts_with(level.name()))?;
    let (method, generics) = method.split_at_checked("dot_t4".len())?;
    let numbers: Vec<u32> = generics
        .split("Kj")
        .skip(1)
        .map(|number| u32::from_str_radix(number.split('_').next()?, 16).ok())
        .collect::<Option<_>>()?;
    let tile = match numbers[..] {
        [tokens] => (16, tokens),
        [rows, tokens] => (rows, tokens),
        _ => return None,
    };
    Some((level, method, tile))
}

/// The inner loop of a function, or of one that it calls where it has none of its own.
fn inner_loop(body: &[&str], functions: &HashMap<&str, Vec<&str>>) -> Option<Loop> {
    let most = |body: &[&str]| loops(body).into_iter().max_by_key(|found| found.products);
    most(body).filter(|found| found.products > 0).or_else(|| {
        let calls = body.iter().filter_map(|line| {
            let (operation, symbol) = line.split_once(char::is_whitespace)?;
            ["b", "bl"].contains(&operation).then(|| functions.get(symbol.trim()))?
        });
        calls
            .filter_map(|body| most(body))
            .max_by_key(|found| found.products)
            .filter(|found| found.products > 0)
    })
}

/// The loops that hold no other: from a label to the branch back to it.
fn loops(body: &[&str]) -> Vec<Loop> {
    let mut labels = HashMap::new();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, line) in body.iter().enumerate() {
        if let Some(label) = line.strip_suffix(':') {
            labels.insert(label, at);
        } else if line.starts_with(['b', 'c', 't'])
            && let Some(&start) = line.split([' ', '\t', ',']).next_back().and_then(|target| {
                // `2b` is the last label `2` in inline assembly.
                labels.get(target).or_else(|| labels.get(target.strip_suffix('b')?))
            })
        {
            found.push((start, at));
        }
    }
    let holds = |outer: &(usize, usize), inner: &(usize, usize)| {
        outer != inner && outer.0 <= inner.0 && inner.1 <= outer.1
    };
    let innermost = found.iter().filter(|outer| !found.iter().any(|inner| holds(outer, inner)));
    innermost
        .map(|&(start, end)| {
            let mut text = String::new();
            // Labels stay, as branches go to them; directives and comments go.
            for line in &body[start..=end] {
                let directive = line.starts_with('.') && !line.ends_with(':');
                if !directive && !line.starts_with("//") && !line.is_empty() {
                    let _ = writeln!(text, "{line}");
                }
            }
            let products = text.lines().map(products).sum();
            Loop { text, products }
        })
        .collect()
}

/// Products of weight and activation that an instruction makes.
fn products(line: &str) -> usize {
    let Some((operation, operands)) = line.split_once(char::is_whitespace) else { return 0 };
    let result = operands.trim_start().split(',').next().unwrap_or("");
    match (operation, result.rsplit('.').next()) {
        ("sdot" | "udot", Some("4s")) => 16,
        ("sdot" | "udot", Some("s")) => SVE_BITS / 8,
        ("smmla", Some("4s")) => 32,
        ("smlal" | "smlal2" | "smull" | "smull2", Some("8h")) => 8,
        ("smlal" | "smlal2" | "smull" | "smull2", Some("4s")) => 4,
        ("mla" | "mul", Some("8h")) => 8,
        _ => 0,
    }
}

/// What a model says of a loop.
struct Report {
    /// Cycles of an iteration.
    cycles: f64,
    /// What keeps it from taking fewer.
    bound: String,
}

fn model(shell: &Shell, mca: &str, cpu: &str, text: &str) -> Result<Report> {
    let iterations = ITERATIONS.to_string();
    let json = cmd!(
        shell,
        "{mca} -mtriple=aarch64 -mcpu={cpu} -mattr=+dotprod,+i8mm,+sve -iterations={iterations}
        -json"
    )
    .stdin(text)
    .quiet()
    .ignore_stderr()
    .read()?;
    let output: Output = serde_json::from_str(&json).context("the output of llvm-mca")?;
    let region = output.regions.first().context("llvm-mca saw no instructions")?;
    let summary = &region.summary;
    let mean = |total: u32| f64::from(total) / f64::from(ITERATIONS);
    let cycles = mean(summary.cycles);
    let dispatch = mean(summary.micro_operations) / f64::from(summary.width);
    Ok(Report { cycles, bound: bound(cycles, dispatch, region, &output.target.resources) })
}

/// A unit or the front end that is busy in nineteen of twenty cycles; otherwise results are waited
/// for.
fn bound(cycles: f64, dispatch: f64, region: &Region, resources: &[String]) -> String {
    // The last instruction stands for all together; `X.0` and `X.1` are two units of one kind.
    let total = region.instructions.len();
    let pressure = region.pressure.info.iter().filter(|info| info.instruction == total);
    let busiest = pressure.max_by(|a, b| a.usage.total_cmp(&b.usage));
    let (unit, busy) = busiest.map_or(("", 0.0), |info| {
        let name = resources.get(info.resource).map_or("", String::as_str);
        (name.split('.').next().unwrap_or(name), info.usage)
    });
    let percent = |busy: f64| 100.0 * busy / cycles;
    if busy >= dispatch && percent(busy) >= 95.0 {
        format!("{unit}, busy {:.0} %", percent(busy))
    } else if percent(dispatch) >= 95.0 {
        format!("dispatch, busy {:.0} %", percent(dispatch))
    } else {
        format!("latency; {unit} busy {:.0} %", percent(busy))
    }
}

/// The part of llvm-mca's JSON that is read.
#[derive(Deserialize)]
struct Output {
    #[serde(rename = "CodeRegions")]
    regions: Vec<Region>,
    #[serde(rename = "TargetInfo")]
    target: Target,
}

#[derive(Deserialize)]
struct Target {
    #[serde(rename = "Resources")]
    resources: Vec<String>,
}

#[derive(Deserialize)]
struct Region {
    #[serde(rename = "Instructions")]
    instructions: Vec<String>,
    #[serde(rename = "ResourcePressureView")]
    pressure: Pressure,
    #[serde(rename = "SummaryView")]
    summary: Summary,
}

#[derive(Deserialize)]
struct Pressure {
    #[serde(rename = "ResourcePressureInfo")]
    info: Vec<PressureInfo>,
}

#[derive(Deserialize)]
struct PressureInfo {
    #[serde(rename = "InstructionIndex")]
    instruction: usize,
    #[serde(rename = "ResourceIndex")]
    resource: usize,
    #[serde(rename = "ResourceUsage")]
    usage: f64,
}

#[derive(Deserialize)]
struct Summary {
    #[serde(rename = "DispatchWidth")]
    width: u32,
    #[serde(rename = "TotalCycles")]
    cycles: u32,
    #[serde(rename = "TotaluOps")]
    micro_operations: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_taken_apart() {
        let prefix = "_RINvXNtNtNtCs8Pl5HqkfsZu_9trit_simd4arch7aarch64";
        let i8mm = format!("{prefix}4i8mmNtNtB9_3cpu4I8mmNtB7_10DotKernels6dot_t4Kj8_EB9_");
        assert_eq!(parse(&i8mm), Some((Level::I8mm, "dot_t4", (16, 8))));
        let neon = format!("{prefix}4neonNtNtB9_3cpu4NeonNtB7_10DotKernels6dot_i8Kj4_Kj2_EB9_");
        assert_eq!(parse(&neon), Some((Level::Neon, "dot_i8", (4, 2))));
        assert_eq!(parse("_RNvNtCs8Pl5HqkfsZu_9trit_simd3ops4dot_t4"), None);
    }

    #[test]
    fn the_inner_loop_holds_no_other() {
        let body = [
            "mov x0, #0",
            ".LBB0_1:",
            "ldr q0, [x0]",
            ".LBB0_2:",
            ".loc 1 2 3",
            "//APP",
            "sdot v1.4s, v2.16b, v0.4b[1]",
            "smlal2 v1.8h, v2.16b, v3.16b",
            "b.ne\t.LBB0_2",
            "cbnz x1, .LBB0_1",
            "2:",
            "sdot z1.s, z2.b, z0.b",
            "b.first 2b",
            "cbz x3, .LBB0_9",
        ];
        let found = loops(&body);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].products, 16 + 8);
        assert_eq!(found[0].text.lines().count(), 4);
        assert_eq!(found[1].products, SVE_BITS / 8);
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("Debian LLVM version 19.1.7\n  Optimized build."), Some(19));
        assert_eq!(major("no version"), None);
    }
}
