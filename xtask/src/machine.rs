//! What a benchmark ran on.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
use trit_simd::{Cpu, Level};

/// A machine, as a record of benchmarks describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The CPU's name, or the names of its kinds of cores; its architecture where the system has no
    /// name.
    pub(crate) cpu: String,
    /// What tells CPUs of one name apart: "family 25, model 17" on x86, elsewhere the board or machine
    /// that they are in; empty where the system says no more, and in records from before it was asked.
    #[serde(default)]
    pub(crate) model: String,
    /// Levels of kernels it has, best first.
    pub(crate) levels: Vec<String>,
    /// Cores, or threads of them, that the system has, whichever of them this process may use.
    pub(crate) cores: usize,
    /// Caches of the first core, smallest first, as "L1 data 48K".
    pub(crate) caches: Vec<String>,
    /// Memory in MiB.
    pub(crate) memory_mib: u64,
    /// Operating system and its version.
    pub(crate) system: String,
}

/// The least MiB that are more than caches can make up for.
const BEYOND_CACHES: u64 = 512;

impl Machine {
    /// The machine at hand.
    ///
    /// # Errors
    /// The system is one that sysinfo does not know.
    pub(crate) fn here() -> Result<Self> {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(wanted)?;
        let cpus = system.cpus();
        let names = names(cpus.iter().map(|cpu| cpu.brand()));
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = Cpu::detect();
        let levels = Level::ALL.into_iter().filter(|&level| cpu.has(level));
        Ok(Self {
            cpu: if names.is_empty() { System::cpu_arch() } else { names },
            model: x86_model(&cpuinfo).or_else(board).unwrap_or_default(),
            levels: levels.map(|level| level.name().to_owned()).collect(),
            cores: cpus.len().max(1),
            caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
            memory_mib: system.total_memory() >> 20,
            system: System::long_os_version().unwrap_or_else(|_| "unknown".to_owned()),
        })
    }

    /// Whether a record of `other` can be one of this machine: what they have for kernels is alike, and so
    /// is the model, which older records lack.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let hardware = |machine: &Self| {
            (machine.cpu.clone(), machine.levels.clone(), machine.cores, machine.caches.clone())
        };
        hardware(self) == hardware(other) && (other.model.is_empty() || self.model == other.model)
    }

    /// MiB to measure memory with: 512, or eight times the largest cache if that is more, but no more
    /// than a quarter of the memory.
    pub(crate) fn mib_beyond_caches(&self) -> u64 {
        let largest = self.caches.iter().filter_map(|cache| {
            let size = cache.split_whitespace().last()?;
            let unit = size.trim_start_matches(|c: char| c.is_ascii_digit());
            let number: u64 = size.strip_suffix(unit)?.parse().ok()?;
            Some(match unit {
                "K" => number >> 10,
                "M" => number,
                _ => 0,
            })
        });
        let wanted = largest.map(|mib| 8 * mib).fold(BEYOND_CACHES, u64::max);
        wanted.min(self.memory_mib / 4).max(1)
    }

    /// The CPU's name and model, for a title.
    pub(crate) fn title(&self) -> String {
        let parts = [self.cpu.as_str(), &self.model];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// The title in small letters, digits and single hyphens, for a file's name.
    pub(crate) fn slug(&self) -> String {
        let title = self.title();
        let words = title.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        words.join("-").to_ascii_lowercase()
    }
}

/// The distinct ones of the cores' names, in the order of the cores; systems with fast and slow cores
/// have several.
fn names<'a>(cores: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in cores.map(str::trim) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" and ")
}

/// What Linux says of the board or the machine: by the device tree of small ones, by the firmware of
/// others.
fn board() -> Option<String> {
    let files = ["/proc/device-tree/model", "/sys/class/dmi/id/product_name"];
    files.into_iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        // The device tree's strings end with a zero.
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        (!text.is_empty()).then(|| text.to_owned())
    })
}

/// Family and model of the first CPU in the text of `/proc/cpuinfo`, as x86 has them. A virtual machine
/// often has no more of a name than "AMD EPYC".
fn x86_model(cpuinfo: &str) -> Option<String> {
    let value = |name: &str| {
        let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.trim() == name).map(|(_, value)| value.trim())
    };
    Some(format!("family {}, model {}", value("cpu family")?, value("model")?))
}

/// The caches that Linux lists in `folder`; none elsewhere.
fn caches(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let read = |name: &str| {
                fs::read_to_string(entry.path().join(name)).ok().map(|text| text.trim().to_owned())
            };
            let (level, kind, size) = (read("level")?, read("type")?, read("size")?);
            let kind = if kind == "Unified" { String::new() } else { kind.to_lowercase() + " " };
            Some(format!("L{level} {kind}{size}"))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described() {
        let machine = Machine::here().unwrap();
        assert!(!machine.cpu.is_empty() && machine.cores > 0 && machine.memory_mib > 0);
        assert_eq!(machine.levels.last().map(String::as_str), Some("scalar"));
        let text = serde_json::to_string(&machine).unwrap();
        assert_eq!(serde_json::from_str::<Machine>(&text).unwrap(), machine);
    }

    #[test]
    fn names_of_files_are_plain() {
        let cpu = "AMD EPYC 9B45 (Turin), 2/core".to_owned();
        let machine = Machine { cpu, model: String::new(), ..Machine::here().unwrap() };
        assert_eq!(machine.slug(), "amd-epyc-9b45-turin-2-core");
        let machine = Machine { model: "family 26, model 2".to_owned(), ..machine };
        assert_eq!(machine.slug(), "amd-epyc-9b45-turin-2-core-family-26-model-2");
    }

    #[test]
    fn processors_of_one_name_are_told_apart() {
        let x86 = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\n\
                   processor\t: 1\ncpu family\t: 25\nmodel\t\t: 18\n";
        assert_eq!(x86_model(x86).as_deref(), Some("family 25, model 17"));
        let arm = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n";
        assert_eq!(x86_model(arm), None);
        assert_eq!(
            names(["Cortex-A55 ", "Cortex-A55", "", "Cortex-A76"].into_iter()),
            "Cortex-A55 and Cortex-A76"
        );
        assert_eq!(names(["", ""].into_iter()), "");
    }

    #[test]
    fn records_of_like_machines_are_told_from_others() {
        let here = Machine { model: "Board 4".to_owned(), ..Machine::here().unwrap() };
        let unnamed = Machine { model: String::new(), memory_mib: 1, ..here.clone() };
        assert!(here.is_like(&here) && here.is_like(&unnamed));
        let others = [
            Machine { model: "Board 5".to_owned(), ..here.clone() },
            Machine { cpu: "another".to_owned(), ..here.clone() },
            Machine { levels: vec![], ..here.clone() },
            Machine { cores: here.cores + 1, ..here.clone() },
            Machine { caches: vec!["L1 data 1K".to_owned()], ..here.clone() },
        ];
        assert!(others.iter().all(|other| !here.is_like(other)));
    }

    #[test]
    fn memory_is_measured_beyond_caches() {
        let caches = |last: &str| vec!["L1 data 48K".to_owned(), last.to_owned()];
        let machine = |last, memory_mib| Machine {
            caches: caches(last),
            memory_mib,
            ..Machine::here().unwrap()
        };
        assert_eq!(machine("L2 1024K", 8000).mib_beyond_caches(), 512);
        assert_eq!(machine("L2 1024K", 900).mib_beyond_caches(), 225);
        assert_eq!(machine("L3 262144K", 100_000).mib_beyond_caches(), 2048);
        assert_eq!(machine("L3 256M", 4000).mib_beyond_caches(), 1000);
    }
}
