//! The container image: its recipe, and what comes of it.
//!
//! The build stage needs an image from a registry; the tests put a static binary of the same
//! sources in its place. All after it is the Dockerfile's own, built and run here.

use std::env::consts::ARCH;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::support::{content, repository, silent, texts, venv};

#[test]
fn hadolint_has_nothing_to_say() {
    silent(Command::new(venv("hadolint")).arg(repository("Dockerfile")));
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

#[test]
fn the_image_runs_with_a_read_only_root_as_a_user_without_a_name() {
    let image = Image::build();
    assert_eq!(image.configuration["User"], "65532:65532");
    let labels = &image.configuration["Labels"];
    assert_eq!(
        labels["org.opencontainers.image.title"],
        "aws-root-exporter"
    );
    assert_eq!(labels["org.opencontainers.image.version"], "1.2.3");

    let size = size_of(&image.root);
    assert!(size < 20 << 20, "the image has {size} bytes");

    let demo = run(&image, &["demo"]);
    assert_eq!(demo["exit"], 0, "{}", demo["log"]);
    assert_eq!(demo["uid"], "65532\t65532\t65532\t65532");
    assert_eq!(demo["capabilities"], "0000000000000000");
    let metrics = demo["metrics"].as_str().unwrap();
    assert!(
        metrics.contains("\naws_root_exporter_build_info{"),
        "{metrics}"
    );
    assert_eq!(
        demo["written"],
        serde_json::json!([]),
        "a demo keeps no state"
    );

    // The daemon itself, which finds no AWS there: its state is written where the volume is.
    let daemon = run(&image, &[]);
    assert_eq!(daemon["exit"], 0, "{}", daemon["log"]);
    assert_eq!(daemon["written"], serde_json::json!(["state.redb"]));
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

/// What was seen of a run; `run_image.py` says how it goes.
fn run(image: &Image, arguments: &[&str]) -> Value {
    let mut runner = Image::command("unshare")
        .args(["--mount", "--net", "--propagation", "private", "--"])
        .arg(venv("python"))
        .arg(repository("tests/deploy/run_image.py"))
        .arg(&image.root)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare is part of every Linux");
    let configuration = image.configuration.to_string();
    let mut input = runner.stdin.take().unwrap();
    input.write_all(configuration.as_bytes()).unwrap();
    drop(input);
    let output = runner.wait_with_output().unwrap();
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{arguments:?}: {err}");
    serde_json::from_str(&out).expect("the script writes JSON")
}

/// The runtime stage, built and mounted. It goes with the test.
struct Image {
    folder: TempDir,
    root: PathBuf,
    configuration: Value,
}

impl Image {
    fn build() -> Self {
        let mut image = Self {
            folder: TempDir::new().expect("a temporary folder"),
            root: PathBuf::new(),
            configuration: Value::Null,
        };
        let stage = image.folder.path().join("stage");
        put(
            &static_binary(),
            &stage.join("out/usr/bin/aws-root-exporter"),
        );
        put(
            Path::new("/etc/ssl/certs/ca-certificates.crt"),
            &stage.join("out/etc/ssl/certs/ca-certificates.crt"),
        );
        fs::create_dir_all(stage.join("out/etc/aws-root-exporter")).unwrap();
        fs::create_dir_all(stage.join("state")).unwrap();
        let mut context = std::ffi::OsString::from("build=");
        context.push(&stage);
        content(
            image
                .buildah()
                .args(["build", "--isolation", "chroot", "--format", "docker"])
                .arg("--build-context")
                .arg(context)
                .args(["--target", "runtime", "--build-arg", "VERSION=1.2.3"])
                .args(["--tag", "tested", "--file"])
                .arg(repository("Dockerfile"))
                // Nothing but the stage may be copied from: the context is empty but for it.
                .arg(&stage),
        );
        let inspected = content(
            image
                .buildah()
                .args(["inspect", "--type", "image", "tested"]),
        );
        let mut inspected: Value = serde_json::from_str(&inspected).unwrap();
        image.configuration = inspected["Docker"]["config"].take();
        let container = content(image.buildah().args(["from", "tested"]));
        let root = content(image.buildah().args(["mount", container.trim()]));
        image.root = root.trim().into();
        image
    }

    fn buildah(&self) -> Command {
        let mut command = Self::command("buildah");
        command.args(["--storage-driver", "vfs"]);
        for (flag, folder) in [("--root", "storage"), ("--runroot", "run")] {
            command.arg(flag).arg(self.folder.path().join(folder));
        }
        command
    }

    /// A program that may mount: as root, or as what looks so to an ordinary user.
    fn command(program: &str) -> Command {
        let user = content(Command::new("id").arg("-u"));
        if user.trim() == "0" {
            return Command::new(program);
        }
        let mut command = Command::new("buildah");
        command.args(["unshare", program]);
        command
    }
}

/// This project's binary without a library of the system, as the build stage makes it.
fn static_binary() -> PathBuf {
    let target = format!("{ARCH}-unknown-linux-musl");
    let messages = content(
        Command::new(env!("CARGO"))
            .args([
                "build",
                "--profile",
                "dist",
                "--locked",
                "--bin",
                "aws-root-exporter",
            ])
            .args(["--target", &target])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(repository("")),
    );
    // Where Cargo puts it is a setting, which only Cargo knows.
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .expect("cargo names the binary it built")
}

/// The bytes of all files in a folder.
fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.file_type().unwrap() {
            kind if kind.is_dir() => size_of(&entry.path()),
            kind if kind.is_file() => entry.metadata().unwrap().len(),
            _ => 0,
        })
        .sum()
}

fn put(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
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
