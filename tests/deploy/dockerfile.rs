//! The container image's recipe.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use test_support::program::{succeed_silently, venv};
use test_support::repository;

#[test]
fn hadolint_has_nothing_to_say() {
    succeed_silently(Command::new(venv("hadolint")).arg(repository("Dockerfile")));
}

#[test]
fn the_image_is_built_with_the_pinned_rust_and_listens_everywhere() {
    let pinned = fs::read_to_string(repository("rust-toolchain.toml")).unwrap();
    let version = pinned
        .lines()
        .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'))
        .expect("rust-toolchain.toml names a channel");
    let recipe = fs::read_to_string(repository("Dockerfile")).unwrap();
    for wanted in [
        format!("FROM docker.io/library/rust:{version}-alpine AS build\n"),
        format!("RUSTUP_TOOLCHAIN={version} "),
        // Every address of both families.
        "LISTEN_ADDRESS=\"[::]:10057\"".to_owned(),
    ] {
        assert!(recipe.contains(&wanted), "Dockerfile has no {wanted:?}");
    }
}

/// The build stage sees what `.dockerignore` lets through: every file that the sources take in
/// must be among it.
#[test]
fn the_build_stage_sees_every_file_that_is_built_in() {
    let ignored = fs::read_to_string(repository(".dockerignore")).unwrap();
    let seen: Vec<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let mut sources = Vec::new();
    collect(&repository("src"), &mut sources);
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        let taken = ["include_str!(\"", "include_bytes!(\""]
            .into_iter()
            .flat_map(|open| text.split(open).skip(1));
        for name in taken.filter_map(|rest| rest.split('"').next()) {
            let file = plain(&source.parent().unwrap().join(name));
            let file = file.strip_prefix(repository("")).unwrap();
            let visible = seen.iter().any(|seen| file.starts_with(seen));
            assert!(
                visible,
                ".dockerignore keeps {} from the image's build, and {} needs it",
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

/// The path without its `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}
