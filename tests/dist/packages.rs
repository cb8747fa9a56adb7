//! The Debian package, installed and removed in a Debian of its own, and the RPM package, compared with it.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use test_support::program::succeed;

use super::support::{NAME, VERSION, as_root, dist, run};

/// A Debian in a folder, by debootstrap, until the test ends.
struct Debian(TempDir);

impl Debian {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // The folder of a temporary file is closed to others; apt has a user of its own.
        succeed(Command::new("chmod").arg("755").arg(folder.path()));
        succeed(
            as_root("debootstrap")
                .args([
                    "--variant=minbase",
                    "--include=ca-certificates,procps,systemd",
                ])
                .arg("bookworm")
                .arg(folder.path()),
        );
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a script in it as root, with its own mounts.
    fn shell(&self, script: &str) -> String {
        let mounts = "mount --rbind /proc \"$0/proc\" && mount --rbind /dev \"$0/dev\" && exec chroot \"$0\" sh -ec \"$1\"";
        succeed(
            as_root("env")
                .args([
                    "-i",
                    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                    "DEBIAN_FRONTEND=noninteractive",
                ])
                .args([
                    "unshare",
                    "--mount",
                    "--propagation",
                    "private",
                    "--",
                    "sh",
                    "-ec",
                    mounts,
                ])
                .arg(self.path())
                .arg(script),
        )
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        // Its files are root's.
        let _ = as_root("rm").arg("-rf").arg(self.path()).status();
    }
}

#[test]
fn debian_installs_runs_upgrades_and_removes_the_package() {
    let debian = Debian::new();
    succeed(as_root("cp").arg(deb()).arg(debian.path().join("new.deb")));
    let before = debian.shell("dpkg-query -W | sort");
    debian.shell("apt-get install -q -y /new.deb");

    let version = debian.shell("aws-root-exporter --version");
    assert!(
        version.starts_with(&format!("{NAME} {VERSION} ")),
        "{version}"
    );
    debian
        .shell("aws-root-exporter --config.file=/etc/aws-root-exporter/config.toml --config.check");
    // systemd prints what it does not like, and its exit code is 0.
    let units = "/usr/lib/systemd/system/aws-root-exporter.service /usr/lib/systemd/system/aws-root-exporter.socket";
    let complaints = debian.shell(&format!("systemd-analyze verify --man=no {units} 2>&1"));
    assert_eq!(complaints, "");
    // The configuration comes before the first start.
    let enabled = debian
        .shell("systemctl is-enabled aws-root-exporter.service aws-root-exporter.socket || true");
    assert_eq!(enabled, "disabled\ndisabled\n");
    debian.shell("systemctl enable aws-root-exporter.service 2>&1");
    the_service_runs(&debian);

    // A newer package keeps the configuration that the administrator changed.
    debian.shell("echo '# mine' >>/etc/aws-root-exporter/config.toml; mkdir -p /var/lib/private/aws-root-exporter");
    debian.shell("dpkg --install --force-confold /new.deb");
    debian.shell("grep -q '^# mine' /etc/aws-root-exporter/config.toml; test -d /var/lib/private/aws-root-exporter");

    debian.shell("apt-get remove -q -y aws-root-exporter");
    debian
        .shell("test ! -e /usr/bin/aws-root-exporter; test -e /etc/aws-root-exporter/config.toml");
    debian.shell("apt-get purge -q -y aws-root-exporter");
    let left = debian.shell(
        "find / -xdev \\( -path /proc -o -path /dev -o -path /var/log -o -path /var/cache \\) -prune -o -path '*aws-root-exporter*' -print",
    );
    assert_eq!(left, "");
    assert_eq!(debian.shell("dpkg-query -W | sort"), before);
}

/// The command of the unit, as the unit's user would run it, with the packaged configuration.
fn the_service_runs(debian: &Debian) {
    let unit = fs::read_to_string(
        debian
            .path()
            .join("usr/lib/systemd/system/aws-root-exporter.service"),
    )
    .unwrap();
    let value = |name: &str| {
        unit.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
    };
    let command: Vec<_> = value("ExecStart=").split(' ').collect();
    let state = value("Environment=AWS_ROOT_EXPORTER__STATE__PATH=").replace("%S", "/var/lib");
    let (binary, config) = (command[0], command[1]);
    assert_eq!(binary, "/usr/bin/aws-root-exporter");
    debian.shell("mkdir -p /var/lib/aws-root-exporter");
    let daemon = run(
        debian.path(),
        &json!({
            "User": "65532:65532",
            "Env": [format!("AWS_ROOT_EXPORTER__STATE__PATH={state}")],
            "Volumes": { "/var/lib/aws-root-exporter": {} },
            "WorkingDir": "/",
            "Entrypoint": command,
            "ExposedPorts": { "10057/tcp": {} },
            "Healthcheck": { "Test": ["CMD", binary, "healthcheck", config] },
        }),
        &[],
    );
    assert_eq!(daemon["exit"], 0, "{}", daemon["log"]);
    assert_eq!(daemon["written"], json!(["state.redb"]));
    let metrics = daemon["metrics"].as_str().unwrap();
    assert!(metrics.contains("\naws_root_exporter_build_info{"));
}

fn deb() -> PathBuf {
    let architecture = if ARCH == "x86_64" { "amd64" } else { "arm64" };
    dist(format!("{NAME}_{VERSION}-1_{architecture}.deb"))
}

fn rpm() -> PathBuf {
    dist(format!("{NAME}-{VERSION}-1.{ARCH}.rpm"))
}

/// The files below a folder, with their contents; compressed ones as the files they are.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn visit(top: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(top, &path, found);
                continue;
            }
            let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            let (name, content) = match name.strip_suffix(".gz") {
                Some(name) => (
                    name.to_owned(),
                    Command::new("gzip")
                        .args(["--decompress", "--stdout"])
                        .arg(&path)
                        .output()
                        .unwrap()
                        .stdout,
                ),
                None => (name, fs::read(&path).unwrap()),
            };
            found.insert(name, content);
        }
    }
    let mut found = BTreeMap::new();
    visit(folder, folder, &mut found);
    found
}

#[test]
fn the_rpm_has_what_the_deb_has() {
    let (debian, fedora) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    succeed(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(deb())
            .arg(debian.path()),
    );
    let extract = "rpm2cpio \"$0\" | cpio --extract --make-directories --quiet --directory \"$1\"";
    succeed(
        Command::new("sh")
            .args(["-ec", extract])
            .arg(rpm())
            .arg(fedora.path()),
    );
    let (mut ours, theirs) = (files(debian.path()), files(fedora.path()));
    for (deb, rpm) in [
        // Where each distribution has them.
        (
            "usr/share/zsh/vendor-completions/_aws-root-exporter",
            "usr/share/zsh/site-functions/_aws-root-exporter",
        ),
        (
            "usr/share/doc/aws-root-exporter/copyright",
            "usr/share/licenses/aws-root-exporter/LICENSE",
        ),
    ] {
        let file = ours
            .remove(deb)
            .unwrap_or_else(|| panic!("the deb has no {deb}"));
        ours.insert(rpm.to_owned(), file);
    }
    assert!(
        ours.keys().eq(theirs.keys()),
        "{:?}\n{:?}",
        ours.keys(),
        theirs.keys()
    );
    for (name, content) in ours {
        // The deb's copyright has a header of its own.
        let is_same = if name.ends_with("/LICENSE") {
            content.ends_with(&theirs[&name])
        } else {
            content == theirs[&name]
        };
        assert!(is_same, "{name} differs");
    }

    let rpm_of = |arguments: &[&str]| {
        succeed(
            Command::new("rpm")
                .args(["--query", "--package"])
                .args(arguments)
                .arg(rpm()),
        )
    };
    assert_eq!(
        rpm_of(&["--configfiles"]),
        "/etc/aws-root-exporter/config.toml\n"
    );
    assert_eq!(
        rpm_of(&["--queryformat", "%{NAME} %{VERSION} %{LICENSE}"]),
        format!("{NAME} {VERSION} Apache-2.0")
    );
    for owner in rpm_of(&[
        "--queryformat",
        "[%{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEMODES:perms}\n]",
    ])
    .lines()
    {
        assert!(
            ["root:root -rwxr-xr-x", "root:root -rw-r--r--"].contains(&owner),
            "{owner}"
        );
    }
    for script in rpm_of(&["--scripts"])
        .split("scriptlet (using /bin/sh):")
        .skip(1)
    {
        assert!(script.contains("systemctl"), "{script}");
    }
}

#[test]
fn the_packages_are_small() {
    for package in [deb(), rpm()] {
        let size = fs::metadata(&package).unwrap().len();
        println!("{} has {size} bytes", package.display());
        assert!(size < 9 << 20, "{} has {size} bytes", package.display());
    }
}
