//! The `Dockerfile`, without building it.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use test_support::program::{succeed_silently, venv};
use test_support::repository;

#[test]
fn hadolint_finds_nothing() {
    succeed_silently(Command::new(venv("hadolint")).arg(repository("Dockerfile")));
}

#[test]
fn the_image_has_the_pinned_rust_and_listens_on_all_addresses() {
    let pinned = fs::read_to_string(repository("rust-toolchain.toml")).unwrap();
    let version = pinned
        .lines()
        .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'))
        .expect("rust-toolchain.toml has a channel");
    let dockerfile = fs::read_to_string(repository("Dockerfile")).unwrap();
    for wanted in [
        format!("FROM docker.io/library/rust:{version}-alpine AS build\n"),
        format!("RUSTUP_TOOLCHAIN={version} "),
        // All addresses of IPv4 and IPv6.
        "LISTEN_ADDRESS=\"[::]:10057\"".to_owned(),
    ] {
        assert!(dockerfile.contains(&wanted), "Dockerfile has no {wanted:?}");
    }
}

/// `.dockerignore` must not exclude a file that the sources include at compile time.
#[test]
fn the_build_context_has_every_included_file() {
    let ignored = fs::read_to_string(repository(".dockerignore")).unwrap();
    let visible: Vec<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let mut sources = Vec::new();
    collect(&repository("src"), &mut sources);
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        let included = ["include_str!(\"", "include_bytes!(\""]
            .into_iter()
            .flat_map(|open| text.split(open).skip(1));
        for name in included.filter_map(|rest| rest.split('"').next()) {
            let file = normalize(&source.parent().unwrap().join(name));
            let file = file.strip_prefix(repository("")).unwrap();
            assert!(
                visible.iter().any(|path| file.starts_with(path)),
                ".dockerignore excludes {} from the build context, and {} includes it",
                file.display(),
                source.display()
            );
        }
    }
}

fn collect(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
}

/// The path without `..`.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
