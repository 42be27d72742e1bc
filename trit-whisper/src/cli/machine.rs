//! What this process uses of the machine.

/// Most memory this process has had resident so far, in MiB; Linux tells it.
pub(crate) fn peak_memory_mib() -> Option<f64> {
    Some(status("VmHWM:")? as f64 / (1 << 20) as f64)
}

/// Bytes of memory that this process has resident; Linux tells it.
pub(crate) fn resident_memory() -> Option<usize> {
    status("VmRSS:")
}

/// Bytes that Linux gives under `name`.
fn status(name: &str) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// "12.3 MiB", or that it is unknown.
pub(crate) fn peak_memory() -> String {
    peak_memory_mib().map_or("unknown".into(), |mib| format!("{mib:.1} MiB"))
}

/// What the system calls the CPU, in one line: the model, and what tells revisions of it apart.
pub(crate) fn cpu_model() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu_model_in(&cpuinfo).unwrap_or("unknown CPU".into())
}

/// The keys of `/proc/cpuinfo` that describe a core, on x86 and on ARM.
const CORE_KEYS: [&str; 8] = [
    "model name",
    "cpu family",
    "model",
    "stepping",
    "CPU implementer",
    "CPU variant",
    "CPU part",
    "CPU revision",
];

/// The distinct cores of a `/proc/cpuinfo`, one paragraph each; ARM has some of several kinds in one
/// chip.
fn cpu_model_in(cpuinfo: &str) -> Option<String> {
    let describe = |core: &str| {
        let value = |key| {
            let line = core.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                (found.trim() == key).then_some(value)
            })?;
            Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        CORE_KEYS.into_iter().filter_map(value).collect::<Vec<_>>().join(" ")
    };
    let mut cores: Vec<_> =
        cpuinfo.split("\n\n").map(describe).filter(|core| !core.is_empty()).collect();
    cores.sort();
    cores.dedup();
    (!cores.is_empty()).then(|| cores.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_told_apart_by_what_they_are() {
        let x86 = "processor : 0\nvendor_id : X\ncpu family\t: 6\nmodel\t\t: 207\n\
                   model name\t: Some  CPU\nstepping : 2\n\nprocessor : 1\ncpu family\t: 6\n\
                   model\t\t: 207\nmodel name\t: Some CPU\nstepping : 2\n\n";
        assert_eq!(cpu_model_in(x86).as_deref(), Some("Some CPU 6 207 2"));
        let arm = "processor : 0\nBogoMIPS : 48.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n\
                   processor : 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\nRevision : a0\n";
        assert_eq!(cpu_model_in(arm).as_deref(), Some("0x41 0xd05 + 0x41 0xd0b"));
        assert_eq!(cpu_model_in(""), None);
    }
}
