//! Names the compiler to the code. `AWS_ROOT_EXPORTER_RUSTC` overrides it, for reproducible builds.

use std::env;
use std::process::Command;

const VARIABLE: &str = "AWS_ROOT_EXPORTER_RUSTC";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let version = env::var(VARIABLE).ok().or_else(rustc_version);
    println!(
        "cargo::rustc-env={VARIABLE}={}",
        version.as_deref().unwrap_or("unknown")
    );
}

/// The version from `rustc 1.95.0 (59807616e 2026-04-14)`.
fn rustc_version() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?)
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(1).map(str::to_owned)
}
