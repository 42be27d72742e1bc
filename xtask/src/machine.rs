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
    /// The CPU's name; its architecture where the system has no name.
    pub(crate) cpu: String,
    /// What tells CPUs of one name apart, as "family 25, model 17"; empty where the name is enough or
    /// the system says no more.
    #[serde(default)]
    pub(crate) model: String,
    /// Levels of kernels it has, best first.
    pub(crate) levels: Vec<String>,
    /// Cores, or threads of them, that the system offers.
    pub(crate) cores: usize,
    /// Caches of the first core, smallest first, as "L1 data 48K".
    pub(crate) caches: Vec<String>,
    /// Memory in MiB.
    pub(crate) memory_mib: u64,
    /// Operating system and its version.
    pub(crate) system: String,
}

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
        let brand = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned());
        let cpu = Cpu::detect();
        let levels = Level::ALL.into_iter().filter(|&level| cpu.has(level));
        Ok(Self {
            cpu: brand.filter(|brand| !brand.is_empty()).unwrap_or_else(System::cpu_arch),
            model: fs::read_to_string("/proc/cpuinfo").map_or(String::new(), |text| model(&text)),
            levels: levels.map(|level| level.name().to_owned()).collect(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
            memory_mib: system.total_memory() >> 20,
            system: System::long_os_version().unwrap_or_else(|_| "unknown".to_owned()),
        })
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

/// Family and model of the first CPU in the text of `/proc/cpuinfo`, as x86 has them; empty elsewhere.
/// A virtual machine often has no more of a name than "AMD EPYC".
fn model(cpuinfo: &str) -> String {
    let value = |name: &str| {
        let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.trim() == name).map(|(_, value)| value.trim())
    };
    match (value("cpu family"), value("model")) {
        (Some(family), Some(model)) => format!("family {family}, model {model}"),
        _ => String::new(),
    }
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
        assert_eq!(model(x86), "family 25, model 17");
        assert_eq!(model("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n"), "");
    }
}
