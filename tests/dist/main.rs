//! The container image, built and run.
//!
//! The build stage needs an image from a registry, so the test replaces it by a static binary of the
//! same sources. All further stages are those of the Dockerfile.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

use std::env::consts::ARCH;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use test_support::program::{succeed, texts, venv};
use test_support::repository;

#[test]
fn the_image_runs_with_a_read_only_root_as_an_unprivileged_user() {
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
        "a demo stores no state"
    );

    // The daemon, which cannot reach AWS: it writes its state into the volume.
    let daemon = run(&image, &[]);
    assert_eq!(daemon["exit"], 0, "{}", daemon["log"]);
    assert_eq!(daemon["written"], serde_json::json!(["state.redb"]));
}

/// Runs the image by `run_image.py` and returns what it printed.
fn run(image: &Image, arguments: &[&str]) -> Value {
    let mut runner = Image::command("unshare")
        .args(["--mount", "--net", "--propagation", "private", "--"])
        .arg(venv("python"))
        .arg(repository("tests/dist/run_image.py"))
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
    serde_json::from_str(&out).expect("the script prints JSON")
}

/// The runtime stage, built and mounted until the test ends.
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
        succeed(
            image
                .buildah()
                .args(["build", "--isolation", "chroot", "--format", "docker"])
                .arg("--build-context")
                .arg(context)
                .args(["--target", "runtime", "--build-arg", "VERSION=1.2.3"])
                .args(["--tag", "tested", "--file"])
                .arg(repository("Dockerfile"))
                // The build context is the stage alone, so that nothing else can be copied.
                .arg(&stage),
        );
        let inspected = succeed(
            image
                .buildah()
                .args(["inspect", "--type", "image", "tested"]),
        );
        let mut inspected: Value = serde_json::from_str(&inspected).unwrap();
        image.configuration = inspected["Docker"]["config"].take();
        let container = succeed(image.buildah().args(["from", "tested"]));
        let root = succeed(image.buildah().args(["mount", container.trim()]));
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

    /// A program that is allowed to mount: as root, or in a user namespace.
    fn command(program: &str) -> Command {
        let user = succeed(Command::new("id").arg("-u"));
        if user.trim() == "0" {
            return Command::new(program);
        }
        let mut command = Command::new("buildah");
        command.args(["unshare", program]);
        command
    }
}

/// The statically linked binary, as the build stage makes it.
fn static_binary() -> PathBuf {
    let target = format!("{ARCH}-unknown-linux-musl");
    let messages = succeed(
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
    // The target folder is a setting of Cargo.
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .expect("cargo prints the path of the binary")
}

/// The size of all files in a folder, in bytes.
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
