//! What this process uses of the machine.

/// Most memory this process has had resident so far, in MiB; Linux tells it.
pub(crate) fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// "12.3 MiB", or that it is unknown.
pub(crate) fn peak_memory() -> String {
    peak_memory_mib().map_or("unknown".into(), |mib| format!("{mib:.1} MiB"))
}
