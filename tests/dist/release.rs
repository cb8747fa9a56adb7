//! The release as a whole: its list of files, where they come from, what is in them, and that they can be
//! made again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use test_support::program::{succeed, venv};
use test_support::repository;

use super::support::{NAME, VERSION, dist, host, provenance, targets, unpack};

/// The files of the release, of which SHA256SUMS is the list.
fn names() -> BTreeSet<String> {
    let files = fs::read_dir(repository("dist")).expect("`make dist` makes dist/");
    files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_file_is_expected_and_has_its_checksum() {
    let mut expected: BTreeSet<_> = ["SHA256SUMS".to_owned()].into();
    for ending in [".cdx.json", ".intoto.json", "-image.tar", ".tgz"] {
        expected.insert(format!("{NAME}-{VERSION}{ending}"));
    }
    for target in targets() {
        let arch = target.split('-').next().unwrap();
        let debian = if arch == "x86_64" { "amd64" } else { "arm64" };
        expected.insert(format!("{NAME}-{VERSION}-{target}.tar.gz"));
        expected.insert(format!("{NAME}_{VERSION}-1_{debian}.deb"));
        expected.insert(format!("{NAME}-{VERSION}-1.{arch}.rpm"));
    }
    assert_eq!(names(), expected);
    let checked = succeed(
        Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(repository("dist")),
    );
    assert_eq!(checked.lines().count(), expected.len() - 1);
}

#[test]
fn the_provenance_names_every_file_and_this_commit() {
    let statement = provenance();
    let head = succeed(
        Command::new("git")
            .args(["rev-parse", "HEAD"])
            .current_dir(repository("")),
    );
    let commit = &statement["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"];
    assert_eq!(
        commit,
        head.trim(),
        "dist/ is of another commit: run `make dist`"
    );
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let subjects: BTreeMap<_, _> = statement["subject"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subject| (text(&subject["name"]), text(&subject["digest"]["sha256"])))
        .collect();
    let sums = fs::read_to_string(dist("SHA256SUMS")).unwrap();
    let sums: BTreeMap<_, _> = sums
        .lines()
        .map(|line| line.split_once("  ").unwrap())
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .filter(|(name, _)| !name.contains(".intoto."))
        .collect();
    assert_eq!(subjects, sums);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The crates that a binary lists in itself, as scanners read them, without those of the build.
fn crates_in(binary: &Path) -> BTreeSet<(String, String)> {
    let script = repository("tests/dist/crates.py");
    let list = succeed(Command::new(venv("python")).arg(script).arg(binary));
    let list: Value = serde_json::from_str(&list).unwrap();
    let packages = list["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| package["kind"] != "build")
        .map(|package| (text(&package["name"]), text(&package["version"])))
        .collect()
}

#[test]
fn every_crate_of_the_binary_is_in_the_sbom() {
    let sbom = fs::read_to_string(dist(format!("{NAME}-{VERSION}.cdx.json"))).unwrap();
    let sbom: Value = serde_json::from_str(&sbom).unwrap();
    assert_eq!(sbom["bomFormat"], "CycloneDX");
    assert_eq!(sbom["metadata"]["component"]["name"], NAME);
    let listed: BTreeSet<_> = sbom["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|component| (text(&component["name"]), text(&component["version"])))
        .collect();
    for target in targets() {
        let folder = TempDir::new().unwrap();
        let crates = crates_in(&unpack(&target, &folder).join(NAME));
        assert!(crates.len() > 100, "{target}: {crates:?}");
        let missing: Vec<_> = crates
            .difference(&listed)
            .filter(|(name, _)| name != NAME)
            .collect();
        assert!(missing.is_empty(), "{target}: {missing:?}");
    }
}

/// qemu runs the binary of another architecture.
#[test]
fn every_tarball_has_a_static_binary_that_runs() {
    for target in targets() {
        let folder = TempDir::new().unwrap();
        let top = unpack(&target, &folder);
        let arch = target.split('-').next().unwrap();
        let mut command = if target == host() {
            Command::new(top.join(NAME))
        } else {
            let mut qemu = Command::new(format!("qemu-{arch}-static"));
            qemu.arg(top.join(NAME));
            qemu
        };
        let output = succeed(command.arg("--version"));
        let head = succeed(
            Command::new("git")
                .args(["rev-parse", "--short=12", "HEAD"])
                .current_dir(repository("")),
        );
        assert!(
            output.starts_with(&format!("{NAME} {VERSION} (revision {}, ", head.trim())),
            "{output}"
        );
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut check = Command::new(command.get_program());
        check
            .args(&args[..args.len() - 1])
            .arg("--config.check")
            .arg("--config.file")
            .arg(top.join("config.toml"));
        succeed(&mut check);
        let dynamic = succeed(
            Command::new("readelf")
                .arg("--dynamic")
                .arg("--program-headers")
                .arg(top.join(NAME)),
        );
        assert!(
            !dynamic.contains("(NEEDED)") && !dynamic.contains("INTERP"),
            "{target}: {dynamic}"
        );
        for file in [
            "LICENSE",
            "README.md",
            "CHANGELOG.md",
            "man/aws-root-exporter.1",
            "completions/bash",
            "systemd/aws-root-exporter.service",
        ] {
            assert!(top.join(file).exists(), "{target}: {file}");
        }
    }
}

#[test]
fn the_chart_renders_the_image_of_this_version() {
    let chart = dist(format!("{NAME}-{VERSION}.tgz"));
    let script = "import json, sys, helm_python\n\
                  with helm_python.Chart.load(sys.argv[1]) as chart: print(json.dumps(chart.render()))";
    let rendered = succeed(Command::new(venv("python")).args(["-c", script]).arg(chart));
    let rendered: BTreeMap<String, String> =
        serde_json::from_str(rendered.lines().last().unwrap()).unwrap();
    let file = |name: &str| &rendered[&format!("{NAME}/templates/{name}.yaml")];
    assert!(file("statefulset").contains(&format!("image: \"{NAME}:{VERSION}\"")));
    assert!(file("prometheusrule").contains("alert: AWSRootAccessKeyActive"));
    assert!(file("dashboard").contains("\"title\": \"AWS root access keys\""));
}

/// A clone in another folder compiles this machine's binary to the same bytes, and makes the same files of
/// the binaries.
#[test]
fn a_second_build_gives_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let clone = folder.path().join("elsewhere");
    succeed(
        Command::new("git")
            .args(["clone", "--quiet", "--no-local"])
            .arg(repository(""))
            .arg(&clone),
    );
    let head = succeed(
        Command::new("git")
            .args(["rev-parse", "HEAD"])
            .current_dir(repository("")),
    );
    succeed(
        Command::new("git")
            .args(["checkout", "--quiet", head.trim()])
            .current_dir(&clone),
    );
    std::os::unix::fs::symlink(repository(".venv"), clone.join(".venv")).unwrap();

    let binaries = folder.path().join("binaries");
    for target in targets() {
        let unpacked = TempDir::new().unwrap();
        fs::create_dir_all(binaries.join(&target)).unwrap();
        fs::copy(
            unpack(&target, &unpacked).join(NAME),
            binaries.join(&target).join(NAME),
        )
        .unwrap();
    }
    succeed(
        Command::new(clone.join("release/build.sh"))
            .env("BINARIES", &binaries)
            .env("TARGETS", targets().join(" ")),
    );
    let sums = |folder: &Path| fs::read_to_string(folder.join("dist/SHA256SUMS")).unwrap();
    assert_eq!(
        sums(&clone),
        sums(&repository("")),
        "packing is not reproducible"
    );

    let compiled = succeed(
        Command::new(clone.join("release/compile.sh"))
            .arg(host())
            .env_remove("CARGO_TARGET_DIR"),
    );
    let (first, second) = (binaries.join(host()).join(NAME), compiled.trim());
    assert!(
        fs::read(first).unwrap() == fs::read(second).unwrap(),
        "compiling is not reproducible"
    );
}
