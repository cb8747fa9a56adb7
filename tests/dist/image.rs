//! The container image, loaded from its archive and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use test_support::program::succeed;

use super::support::{NAME, VERSION, as_root, dist, provenance, run, targets};

#[test]
fn the_image_runs_with_a_read_only_root_as_an_unprivileged_user() {
    let image = Image::load();
    assert_eq!(image.configuration["User"], "65532:65532");
    let size = size_of(&image.root);
    println!("the image has {size} bytes");
    assert!(size < 22 << 20, "the image has {size} bytes");

    let demo = run(&image.root, &image.configuration, &["demo"]);
    assert_eq!(demo["exit"], 0, "{}", demo["log"]);
    assert_eq!(demo["uid"], "65532\t65532\t65532\t65532");
    assert_eq!(demo["capabilities"], "0000000000000000");
    let metrics = demo["metrics"].as_str().unwrap();
    assert!(
        metrics.contains("\naws_root_exporter_build_info{"),
        "{metrics}"
    );
    assert_eq!(demo["written"], json!([]), "a demo stores no state");

    // The daemon, which cannot reach AWS: it writes its state into the volume.
    let daemon = run(&image.root, &image.configuration, &[]);
    assert_eq!(daemon["exit"], 0, "{}", daemon["log"]);
    assert_eq!(daemon["written"], json!(["state.redb"]));
}

#[test]
fn the_image_has_each_target_and_names_its_source() {
    let folder = TempDir::new().expect("a temporary folder");
    let index = layout(&folder);
    let manifests = index["manifests"].as_array().unwrap();
    let mut architectures = Vec::new();
    for manifest in manifests {
        architectures.push(
            manifest["platform"]["architecture"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        let manifest = blob(&folder, &manifest["digest"]);
        let image = blob(&folder, &manifest["config"]["digest"]);
        assert_eq!(image["architecture"], json!(architectures.last()));
        let labels = &image["config"]["Labels"];
        let label = |name: &str| &labels[format!("org.opencontainers.image.{name}")];
        assert_eq!(label("title"), NAME);
        assert_eq!(label("version"), VERSION);
        assert_eq!(label("licenses"), "Apache-2.0");
        let source = "https://github.com/aws-root-exporter/aws-root-exporter";
        assert_eq!(label("source"), source);
        let revision = provenance()["predicate"]["runDetails"]["metadata"]["invocationId"].take();
        let revision = revision.as_str().unwrap();
        assert_eq!(*label("revision"), revision[..12]);
    }
    let expected = targets()
        .into_iter()
        .map(|target| match target.split('-').next().unwrap() {
            "x86_64" => "amd64".to_owned(),
            _ => "arm64".to_owned(),
        });
    architectures.sort();
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    assert_eq!(architectures, expected);
}

fn archive() -> PathBuf {
    dist(format!("{NAME}-{VERSION}-image.tar"))
}

/// Unpacks the archive, and returns the list of images.
fn layout(folder: &TempDir) -> Value {
    succeed(
        Command::new("tar")
            .arg("--extract")
            .arg("--file")
            .arg(archive())
            .arg("--directory")
            .arg(folder.path()),
    );
    let text = fs::read_to_string(folder.path().join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&text).unwrap();
    blob(folder, &index["manifests"][0]["digest"])
}

fn blob(folder: &TempDir, digest: &Value) -> Value {
    let digest = digest.as_str().unwrap().replace(':', "/");
    let text = fs::read_to_string(folder.path().join("blobs").join(digest)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The image of this machine, mounted until the test ends.
struct Image {
    folder: TempDir,
    root: PathBuf,
    configuration: Value,
}

impl Image {
    fn load() -> Self {
        let mut image = Self {
            folder: TempDir::new().expect("a temporary folder"),
            root: PathBuf::new(),
            configuration: Value::Null,
        };
        let container = succeed(
            image
                .buildah()
                .arg("from")
                .arg(format!("oci-archive:{}", archive().display())),
        );
        let container = container.lines().last().unwrap().trim();
        let root = succeed(image.buildah().args(["mount", container]));
        image.root = root.trim().into();
        // buildah's own types have no health check, so it is read from the archive.
        let layout = TempDir::new().expect("a temporary folder");
        let index = self::layout(&layout);
        let manifests = index["manifests"].as_array().unwrap().iter();
        let inspected = succeed(image.buildah().args([
            "inspect",
            "--format",
            "{{.OCIv1.Architecture}}",
            container,
        ]));
        let mine = manifests
            .map(|manifest| blob(&layout, &manifest["digest"]))
            .map(|manifest| blob(&layout, &manifest["config"]["digest"]))
            .find(|image| image["architecture"] == inspected.trim());
        image.configuration = mine.unwrap()["config"].take();
        image
    }

    fn buildah(&self) -> Command {
        let mut command = as_root("buildah");
        command.args(["--storage-driver", "vfs"]);
        for (flag, folder) in [("--root", "storage"), ("--runroot", "run")] {
            command.arg(flag).arg(self.folder.path().join(folder));
        }
        command
    }
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
