//! Tells the binary what it is built from: the revision and the compiler. Both can be said by the
//! environment, where there is no git (in an image) or the build must be reproducible.

use std::env;
use std::process::Command;

fn main() {
    tell("AWS_ROOT_EXPORTER_REVISION", || {
        first_word(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]))
    });
    tell("AWS_ROOT_EXPORTER_RUSTC", || {
        let rustc = env::var_os("RUSTC")?;
        first_word(Command::new(rustc).arg("--version"))
            .map(|version| version.replace("rustc ", ""))
    });
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/refs/heads");
}

fn tell(name: &str, find: impl FnOnce() -> Option<String>) {
    println!("cargo::rerun-if-env-changed={name}");
    let value = env::var(name).ok().or_else(find);
    println!(
        "cargo::rustc-env={name}={}",
        value.as_deref().unwrap_or("unknown")
    );
}

/// The line a command prints, when it works; for `rustc --version` its first two words.
fn first_word(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    (output.status.success() && !words.is_empty()).then(|| words.join(" "))
}
