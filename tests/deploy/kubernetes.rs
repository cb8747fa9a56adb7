//! `deploy/kubernetes`: what kustomize builds, checked against Kubernetes' schemas.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use test_support::daemon::command as exporter;
use test_support::program::{finish, succeed, succeed_silently, texts, venv, yaml};
use test_support::repository;

const OVERLAYS: [&str; 2] = ["single", "sharded"];

/// Kinds of the Prometheus operator, which are not in Kubernetes' schemas.
const OPERATOR: [&str; 2] = ["PrometheusRule", "ServiceMonitor"];

/// Builds a kustomization into a file in the folder.
fn build(kustomization: &Path, folder: &TempDir) -> PathBuf {
    let output = finish(
        Command::new(venv("kubectl"))
            .arg("kustomize")
            .arg(kustomization),
    );
    let (out, err) = texts(&output);
    assert!(
        output.status.success() && err.is_empty(),
        "kustomize {}: {err}",
        kustomization.display()
    );
    let file = folder.path().join("applied.yaml");
    fs::write(&file, out).unwrap();
    file
}

fn overlay(name: &str) -> Vec<Value> {
    let folder = TempDir::new().expect("a temporary folder");
    let overlay = repository("deploy/kubernetes/overlays").join(name);
    yaml([build(&overlay, &folder)])
}

fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found: Vec<_> = objects.iter().filter(|o| o["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "objects of kind {kind}");
    found[0]
}

/// The only container of the StatefulSet.
fn container(objects: &[Value]) -> &Value {
    let containers = &one(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers.as_array().unwrap().len(), 1);
    &containers[0]
}

fn variable<'a>(container: &'a Value, name: &str) -> &'a Value {
    let variables = container["env"].as_array().unwrap();
    let found: Vec<_> = variables.iter().filter(|v| v["name"] == name).collect();
    assert_eq!(found.len(), 1, "variables {name}");
    found[0]
}

/// Checks every field against Kubernetes' strict schemas.
fn validate(file: &Path) {
    let output = finish(
        Command::new(venv("kubernetes-validate"))
            .arg("--strict")
            .arg(file),
    );
    let (out, err) = texts(&output);
    let messages = format!("{out}{err}");
    let other: Vec<_> = messages
        .lines()
        .filter(|line| !(line.starts_with("INFO ") && line.contains(" passed for resource ")))
        .filter(|line| {
            let without_schema = |kind| line.contains(&format!("find schema for kind {kind} with"));
            !OPERATOR.iter().any(without_schema)
        })
        .collect();
    assert!(output.status.success() && other.is_empty(), "{messages}");
}

#[test]
fn the_overlays_are_valid() {
    for name in OVERLAYS {
        let folder = TempDir::new().expect("a temporary folder");
        let overlay = repository("deploy/kubernetes/overlays").join(name);
        validate(&build(&overlay, &folder));
    }
}

/// An overlay of a user, with each of the components that the shipped overlays do not have.
#[test]
fn the_optional_components_are_valid() {
    // Kustomize accepts relative paths only, and none through a symbolic link.
    let copy = TempDir::new().expect("a temporary folder");
    succeed(
        Command::new("cp")
            .arg("-a")
            .arg(repository("deploy/kubernetes"))
            .arg(copy.path()),
    );
    let with = |components: &[&str]| {
        let mine = copy.path().join("kubernetes/overlays/mine");
        fs::create_dir_all(&mine).unwrap();
        let components: Vec<_> = components
            .iter()
            .map(|name| format!("../../components/{name}"))
            .collect();
        let kustomization = json!({ "resources": ["../single"], "components": components });
        fs::write(mine.join("kustomization.yaml"), kustomization.to_string()).unwrap();
        let folder = TempDir::new().expect("a temporary folder");
        let file = build(&mine, &folder);
        validate(&file);
        yaml([file])
    };
    let kinds =
        |objects: &[Value], kind: &str| objects.iter().filter(|o| o["kind"] == kind).count();

    let objects = with(&["without-prometheus-operator"]);
    assert_eq!(OPERATOR.map(|kind| kinds(&objects, kind)), [0, 0]);

    let objects = with(&["iam-users"]);
    assert_eq!(kinds(&objects, "PrometheusRule"), 2);

    let objects = with(&["without-volume"]);
    let set = &one(&objects, "StatefulSet")["spec"];
    assert!(set["volumeClaimTemplates"].is_null());
    let volumes = set["template"]["spec"]["volumes"].as_array().unwrap();
    assert!(
        volumes
            .iter()
            .any(|v| v["name"] == "state" && v["emptyDir"].is_object())
    );
}

#[test]
fn the_rules_are_generated_from_those_for_prometheus() {
    let made = TempDir::new().expect("a temporary folder");
    let kubernetes = repository("deploy/kubernetes");
    succeed_silently(Command::new(kubernetes.join("prometheus-rules.sh")).arg(made.path()));
    for file in [
        "base/prometheus-rule.yaml",
        "components/iam-users/prometheus-rule.yaml",
    ] {
        let read = |folder: &Path| fs::read_to_string(folder.join(file)).unwrap();
        assert!(
            read(made.path()) == read(&kubernetes),
            "{file} differs from deploy/prometheus: run deploy/kubernetes/prometheus-rules.sh"
        );
    }
    let spec = &yaml([kubernetes.join("base/prometheus-rule.yaml")])[0]["spec"];
    let rules = &yaml([repository("deploy/prometheus/aws-root-exporter.rules.yml")])[0];
    assert_eq!(
        spec, rules,
        "the operator and Prometheus have different rules"
    );
}

#[test]
fn the_service_monitor_selects_the_service_and_sets_the_job() {
    let objects = overlay("single");
    let (service, monitor) = (one(&objects, "Service"), one(&objects, "ServiceMonitor"));
    let labels = &service["metadata"]["labels"];
    assert_eq!(&monitor["spec"]["selector"]["matchLabels"], labels);
    // The rules select this job; the operator takes its name from this label of the service.
    let label = monitor["spec"]["jobLabel"].as_str().unwrap();
    assert_eq!(labels[label], "aws-root-exporter");
    let port = &monitor["spec"]["endpoints"][0]["port"];
    assert_eq!(&service["spec"]["ports"][0]["name"], port);
    let pods = &one(&objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&service["spec"]["selector"], pods);
    assert_eq!(
        &one(&objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        pods
    );
    assert_eq!(
        one(&objects, "NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"],
        service["spec"]["ports"][0]["targetPort"]
    );
}

#[test]
fn each_pod_is_the_shard_of_its_ordinal() {
    for name in OVERLAYS {
        let objects = overlay(name);
        let container = container(&objects);
        let index = variable(container, "AWS_ROOT_EXPORTER__SHARD__INDEX");
        assert_eq!(
            index["valueFrom"]["fieldRef"]["fieldPath"],
            "metadata.labels['apps.kubernetes.io/pod-index']"
        );
        let replicas = &one(&objects, "StatefulSet")["spec"]["replicas"];
        let total = &variable(container, "AWS_ROOT_EXPORTER__SHARD__TOTAL")["value"];
        assert_eq!(total.as_str().unwrap(), replicas.to_string(), "{name}");
    }
}

#[test]
fn pods_have_no_privileges() {
    let objects = overlay("single");
    let pod = &one(&objects, "StatefulSet")["spec"]["template"]["spec"];
    let security = &pod["securityContext"];
    assert_eq!(security["runAsNonRoot"], true);
    assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
    let container = container(&objects);
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        })
    );
    for bound in ["cpu", "memory"] {
        assert!(container["resources"]["requests"][bound].is_string());
        assert!(container["resources"]["limits"][bound].is_string());
    }
    let namespace = one(&objects, "Namespace");
    assert_eq!(
        namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        "restricted"
    );
}

/// The binary accepts the arguments, variables and settings of each overlay.
#[test]
fn the_binary_accepts_the_configuration_of_each_overlay() {
    for name in OVERLAYS {
        let objects = overlay(name);
        let folder = TempDir::new().expect("a temporary folder");
        let config = folder.path().join("config.toml");
        let text = one(&objects, "ConfigMap")["data"]["config.toml"]
            .as_str()
            .unwrap();
        fs::write(&config, text).unwrap();
        let container = container(&objects);
        let arguments = container["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|argument| {
                let argument = argument.as_str().unwrap();
                argument.replace(
                    "/etc/aws-root-exporter/config.toml",
                    config.to_str().unwrap(),
                )
            });
        let total = variable(container, "AWS_ROOT_EXPORTER__SHARD__TOTAL")["value"]
            .as_str()
            .unwrap();
        // Kubernetes sets the pod's ordinal; the last one here.
        let index = (total.parse::<u32>().unwrap() - 1).to_string();
        let output = exporter()
            .args(arguments)
            .arg("--config.check")
            .env("AWS_ROOT_EXPORTER__SHARD__INDEX", index)
            .env("AWS_ROOT_EXPORTER__SHARD__TOTAL", total)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", texts(&output).1);
    }
}

#[test]
fn the_probes_use_the_health_listener() {
    let objects = overlay("single");
    let container = container(&objects);
    let ports = container["ports"].as_array().unwrap();
    let health = ports.iter().find(|port| port["name"] == "health").unwrap();
    let flag = format!(
        "--web.health-listen-address=[::]:{}",
        health["containerPort"]
    );
    assert!(container["args"].as_array().unwrap().contains(&json!(flag)));
    for (probe, path) in [
        ("startupProbe", "/-/healthy"),
        ("livenessProbe", "/-/healthy"),
        ("readinessProbe", "/-/ready"),
    ] {
        assert_eq!(
            container[probe]["httpGet"],
            json!({ "path": path, "port": "health" })
        );
    }
}
