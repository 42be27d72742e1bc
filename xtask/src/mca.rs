//! `cargo xtask mca`: what LLVM's models of ARM CPUs say of every integer microkernel.
//!
//! trit-simd is compiled to assembly with `--cfg trit_mca`, which keeps each microkernel as a
//! function of its own (`arch/aarch64/mca.rs`). Its symbol says the level, the method and the
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

use crate::{needs, page, workspace_root};

/// What to model.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only kernels whose line in the table has all of these words
    words: Vec<String>,
    /// Print each inner loop too
    #[arg(long)]
    show: bool,
    /// Write the table of docs/kernels.md instead
    #[arg(long, conflicts_with_all = ["words", "show"])]
    write: bool,
}

const PAGE: &str = "docs/kernels.md";

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
    if arguments.write {
        let table = table(&shell, &mca, &kernels)?;
        if page::replace(PAGE, "cargo xtask mca", &table)? {
            println!("wrote {PAGE}");
        }
        return Ok(());
    }

    println!("{:<22} {:<12} {:>7} {:>9}  bound by", "kernel", "model", "cycles", "MAC/cycle");
    for kernel in &kernels {
        let mut matched = false;
        for cpu in kernel.cpus {
            let line = format!("{:<22} {cpu:<12}", kernel.name());
            if !arguments.words.iter().all(|word| line.contains(word.as_str())) {
                continue;
            }
            let report = kernel.model(&shell, &mca, cpu)?;
            let rate = kernel.rate(&report);
            println!("{line} {:>7.1} {rate:>9.1}  {}", report.cycles, report.bound);
            matched = true;
        }
        if matched && arguments.show {
            println!("\n{}", kernel.inner.text);
        }
    }
    Ok(())
}

/// Products a cycle of every microkernel on every model that it is for.
fn table(shell: &Shell, mca: &str, kernels: &[Kernel]) -> Result<String> {
    let cpus: Vec<_> = CPUS.iter().flat_map(|(_, cpus)| *cpus).collect();
    let mut table = "| microkernel | tile |".to_owned();
    for cpu in &cpus {
        write!(table, " {cpu} |")?;
    }
    writeln!(table, "\n|---|---|{}", "---|".repeat(cpus.len()))?;
    for kernel in kernels {
        let (rows, tokens) = kernel.tile;
        write!(table, "| `{}` {} | {rows} × {tokens} |", kernel.method, kernel.level)?;
        for cpu in &cpus {
            if kernel.cpus.contains(cpu) {
                let report = kernel.model(shell, mca, cpu)?;
                write!(table, " {:.1} |", kernel.rate(&report))?;
            } else {
                table += " |";
            }
        }
        table.push('\n');
    }
    Ok(table)
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
struct Kernel {
    level: Level,
    /// The models to run it on.
    cpus: &'static [&'static str],
    /// The method of `DotKernels` or `CodeKernels`; sums of lines, with their quads.
    method: String,
    /// Rows and tokens.
    tile: (u32, u32),
    inner: Loop,
}

impl Kernel {
    fn name(&self) -> String {
        let (rows, tokens) = self.tile;
        format!("{}__{}_{rows}x{tokens}", self.method, self.level)
    }

    /// What the model of `cpu` says.
    fn model(&self, shell: &Shell, mca: &str, cpu: &str) -> Result<Report> {
        model(shell, mca, cpu, &self.inner.text)
            .with_context(|| format!("the inner loop of {}", self.name()))
    }

    /// Products a cycle.
    fn rate(&self, report: &Report) -> f64 {
        self.inner.products as f64 / report.cycles
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
fn kernels(assembly: &str) -> Result<Vec<Kernel>> {
    let functions = functions(assembly);
    let mut kernels = Vec::new();
    for (level, symbol) in statics(assembly) {
        let body = functions.get(symbol).with_context(|| format!("`{symbol}` is not there"))?;
        let (method, tile) = parse(symbol).with_context(|| format!("`{symbol}` has no name"))?;
        let inner = inner_loop(body, &functions, &|line| products(&method, line))
            .with_context(|| format!("`{symbol}` has no loop with products"))?;
        let place = CPUS.iter().position(|(of, _)| *of == level);
        let place = place.with_context(|| format!("the level {level} has no models"))?;
        kernels.push((place, Kernel { level, cpus: CPUS[place].1, method, tile, inner }));
    }
    kernels.sort_by_cached_key(|(place, kernel)| (*place, kernel.method.clone(), kernel.tile));
    Ok(kernels.into_iter().map(|(_, kernel)| kernel).collect())
}

/// The microkernels that the statics of `arch/aarch64/mca.rs` point to, `DOTPROD` and
/// `DOTPROD_LINES` to those of `dotprod`: level and symbol. Of functions that are the same, as those
/// of several levels may be, LLVM keeps one.
fn statics(assembly: &str) -> Vec<(Level, &str)> {
    let mut found = Vec::new();
    let mut current = None;
    for line in assembly.lines() {
        if let Some(symbol) = line.strip_suffix(':') {
            current = symbol.split_once("7aarch643mca").and_then(|(_, name)| {
                let name = identifier(name)?.0.split('_').next()?.to_lowercase();
                Level::ALL.into_iter().find(|level| level.name() == name)
            });
        } else if let Some(level) = current
            && let Some(symbol) = line.trim().strip_prefix(".xword")
        {
            found.push((level, symbol.trim()));
        }
    }
    found
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

/// Method and tile of a microkernel, from its symbol:
/// `_RINvXNtNtNtCs…_9trit_simd4arch7aarch644neonNtNtB9_3cpu4NeonNtB7_10DotKernels6dot_t4Kj4_EB9_`
/// is `dot_t4::<4>`.
fn parse(symbol: &str) -> Option<(String, (u32, u32))> {
    let (method, generics) = identifier(symbol.split_once("Kernels")?.1)?;
    let (method, tile) = match (method, &constants(symbol, generics)?[..]) {
        ("dot_t4" | "dot_i4" | "dot_u7", &[tokens]) => (method.to_owned(), (16, tokens)),
        ("dot_i8", &[rows, tokens]) => (method.to_owned(), (rows, tokens)),
        // Two rows at a time; the last says whether the sums start there.
        ("add_lines", &[tokens, quads, _]) => (format!("add_lines_{quads}"), (2, tokens)),
        _ => return None,
    };
    Some((method, tile))
}

/// A name with its length before it, and what follows.
fn identifier(mangled: &str) -> Option<(&str, &str)> {
    let digits = mangled.find(|c: char| !c.is_ascii_digit())?;
    let (length, rest) = mangled.split_at(digits);
    rest.split_at_checked(length.parse().ok()?)
}

/// The constants among generic arguments: `Kj4_` is 4, and `KB3_` the one that stands 5 bytes into
/// the symbol (RFC 2603).
fn constants(symbol: &str, mut generics: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    while let Some(constant) = generics.strip_prefix('K') {
        let (value, rest) = constant.split_once('_')?;
        generics = rest;
        let value = match value.strip_prefix('B') {
            Some(place) => {
                let place = place.chars().try_fold(0, |place, digit| {
                    let digit = match digit {
                        '0'..='9' => digit as usize - '0' as usize,
                        'a'..='z' => digit as usize - 'a' as usize + 10,
                        'A'..='Z' => digit as usize - 'A' as usize + 36,
                        _ => return None,
                    };
                    Some(place * 62 + digit)
                })?;
                // The number after `B` is one less, and `_R` does not count.
                symbol.get(place + 1 + "_R".len()..)?.split_once('_')?.0
            }
            None => value,
        };
        // After a letter for the type.
        numbers.push(u32::from_str_radix(value.get(1..)?, 16).ok()?);
    }
    Some(numbers)
}

/// The inner loop of a function, or of one that it calls where it has none of its own.
fn inner_loop(
    body: &[&str],
    functions: &HashMap<&str, Vec<&str>>,
    products: &dyn Fn(&str) -> usize,
) -> Option<Loop> {
    let most = |body: &[&str]| {
        let found = loops(body, products).into_iter().max_by_key(|found| found.products);
        found.filter(|found| found.products > 0)
    };
    most(body).or_else(|| {
        let calls = body.iter().filter_map(|line| {
            let (operation, symbol) = line.split_once(char::is_whitespace)?;
            ["b", "bl"].contains(&operation).then(|| functions.get(symbol.trim()))?
        });
        calls.filter_map(|body| most(body)).max_by_key(|found| found.products)
    })
}

/// The loops that hold no other: from a label to the branch back to it.
fn loops(body: &[&str], products: &dyn Fn(&str) -> usize) -> Vec<Loop> {
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

/// Products of weight and activation that an instruction makes in a method.
fn products(method: &str, line: &str) -> usize {
    let Some((operation, operands)) = line.split_once(char::is_whitespace) else { return 0 };
    let result = operands.trim_start().split(',').next().unwrap_or("");
    match (operation, result.rsplit('.').next()) {
        // Sums of four inputs for each of 8 tokens.
        ("add", Some("8h")) if method.starts_with("add_lines") => 8 * 4,
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
        assert_eq!(parse(&i8mm), Some(("dot_t4".to_owned(), (16, 8))));
        let neon = format!("{prefix}4neonNtNtB9_3cpu4NeonNtB7_10DotKernels6dot_i8Kj4_Kj2_EB9_");
        assert_eq!(parse(&neon), Some(("dot_i8".to_owned(), (4, 2))));
        // The second 4 is written as the place of the first.
        let place = neon.find("j4_").unwrap() - "_R".len() - 1;
        let digits = ['0'..='9', 'a'..='z', 'A'..='Z'].into_iter().flatten().collect::<Vec<_>>();
        let again = format!("B{}{}_", digits[place / 62], digits[place % 62]);
        let square = neon.replace("Kj2_", &format!("K{again}"));
        assert_eq!(parse(&square), Some(("dot_i8".to_owned(), (4, 4))));
        let codes = "5codesNtNtB9_3cpu7DotprodNtNtB9_4arch5codes11CodeKernels6dot_u7Kj4_EB9_";
        let parsed = parse(&format!("{prefix}{codes}"));
        assert_eq!(parsed, Some(("dot_u7".to_owned(), (16, 4))));
        let lines = "4neonNtNtB9_3cpu4NeonNtB7_10DotKernels9add_linesKj20_Kj10_Kb0_EB9_";
        let parsed = parse(&format!("{prefix}{lines}"));
        assert_eq!(parsed, Some(("add_lines_16".to_owned(), (2, 32))));
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
        let found = loops(&body, &|line| products("dot_t4", line));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].products, 16 + 8);
        assert_eq!(found[0].text.lines().count(), 4);
        assert_eq!(found[1].products, SVE_BITS / 8);
    }

    #[test]
    fn statics_say_what_there_is() {
        let assembly = "_RNvNtNtNtCs8_9trit_simd4arch7aarch643mca13DOTPROD_LINES:\n\t.xword\t_Ra\n\
            \t.size\t_RN, 8\nother:\n\t.xword\t_Rb\n";
        assert_eq!(statics(assembly), [(Level::Dotprod, "_Ra")]);
    }

    #[test]
    fn sums_of_lines_count_additions() {
        let add = "add v0.8h, v0.8h, v16.8h";
        assert_eq!([products("add_lines_16", add), products("dot_t4", add)], [32, 0]);
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("Debian LLVM version 19.1.7\n  Optimized build."), Some(19));
        assert_eq!(major("no version"), None);
    }
}
