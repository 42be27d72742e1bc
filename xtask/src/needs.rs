//! Finds what a leg needs on this machine, or installs it and says so. What is not there and cannot be
//! installed is [`Missing`].

use std::env::consts;
use std::path::Path;
use std::{env, fmt};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// A tool that a leg needs, cannot be installed from here, and may be missing: the leg does not run.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Runs a command that installs `what`.
fn install(command: xshell::Cmd<'_>, what: &str) -> Result<()> {
    let run = command.quiet().run();
    run.map_err(|error| Missing(format!("{what} cannot be installed: {error}")).into())
}

/// The target triple of this machine's toolchain.
pub(crate) fn host_target(shell: &Shell) -> Result<String> {
    let version = cmd!(shell, "rustc -vV").quiet().read()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names its host")
}

/// Makes sure that a C++ compiler is there, as the crate `cc` looks for it on Unix.
pub(crate) fn cpp_compiler() -> Result<()> {
    if env::var_os("CXX").is_some() || find_program("c++").is_some() || cfg!(windows) {
        return Ok(());
    }
    Err(Missing("no C++ compiler is installed".to_owned()).into())
}

/// Makes sure Node is there, recent enough for its WASI.
pub(crate) fn node(shell: &Shell) -> Result<()> {
    let version = cmd!(shell, "node --version").quiet().ignore_stderr().read().unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(20..) => Ok(()),
        Some(_) => Err(Missing(format!("Node {version} is older than 20")).into()),
        None => Err(Missing("Node is not installed".to_owned()).into()),
    }
}

/// Makes sure a nightly toolchain with Miri is there.
pub(crate) fn miri(shell: &Shell) -> Result<()> {
    let probe = cmd!(shell, "cargo +nightly miri --version").quiet().ignore_stdout();
    match probe.ignore_stderr().run() {
        Ok(()) => Ok(()),
        Err(_) => Err(Missing("no nightly toolchain with the component miri".to_owned()).into()),
    }
}

/// Makes sure cargo-fuzz is there.
pub(crate) fn fuzzer(shell: &Shell) -> Result<()> {
    let probe = cmd!(shell, "cargo fuzz --version").quiet().ignore_stdout();
    match probe.ignore_stderr().run() {
        Ok(()) => Ok(()),
        Err(_) => Err(Missing("cargo-fuzz is not installed".to_owned()).into()),
    }
}

/// Makes sure that there is a standard library for `target`, from rustup if need be.
pub(crate) fn rust_target(shell: &Shell, target: &str) -> Result<()> {
    let libraries =
        cmd!(shell, "rustc --print target-libdir --target {target}").quiet().ignore_stderr();
    if libraries.read().is_ok_and(|folder| Path::new(&folder).is_dir()) {
        return Ok(());
    }
    eprintln!("installing the Rust standard library for {target}");
    let what = format!("the Rust standard library for {target}");
    install(cmd!(shell, "rustup target add {target}"), &what)
}

/// Makes sure the rustup component `name` is there (some minimal installations lack clippy).
pub(crate) fn rust_component(shell: &Shell, name: &str, probe: &str) -> Result<()> {
    if cmd!(shell, "cargo {probe} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
    {
        return Ok(());
    }
    eprintln!("installing the Rust component {name}");
    install(cmd!(shell, "rustup component add {name}"), &format!("the Rust component {name}"))
}

/// Path of the qemu-user emulator `name`, installed from the system's packages if it is missing. It runs
/// programs for Linux on Linux.
pub(crate) fn emulator(shell: &Shell, name: &str) -> Result<String> {
    if consts::OS != "linux" {
        return Err(
            Missing(format!("{name} emulates CPUs on Linux, and this is {}", consts::OS)).into()
        );
    }
    if let Some(found) = find_emulator(name) {
        return Ok(found);
    }
    if find_program("apt-get").is_none() {
        let how = "install qemu-user (Fedora: dnf install qemu-user, Arch: pacman -S qemu-user)";
        return Err(Missing(format!("{name} is not installed; {how}")).into());
    }
    // `env` runs the program as it is.
    let elevate = if is_root(shell) { "env" } else { "sudo" };
    eprintln!("installing the package qemu-user, for {name}");
    install(cmd!(shell, "{elevate} apt-get update -qq"), "qemu-user")?;
    let package = cmd!(shell, "{elevate} apt-get install -y -qq --no-install-recommends qemu-user");
    install(package.ignore_stdout(), "qemu-user")?;
    find_emulator(name).with_context(|| format!("qemu-user is installed but has no {name}"))
}

fn find_emulator(name: &str) -> Option<String> {
    find_program(name).or_else(|| find_program(&format!("{name}-static")))
}

/// Path of the program `name`, if a folder of the path has it.
pub(crate) fn find_program(name: &str) -> Option<String> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .and_then(|file| file.into_os_string().into_string().ok())
}

fn is_root(shell: &Shell) -> bool {
    cmd!(shell, "id -u").quiet().read().is_ok_and(|id| id.trim() == "0")
}
