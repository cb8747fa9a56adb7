//! `deploy/kubernetes`: its base is what the chart renders, and kustomize builds its overlays and
//! components.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use test_support::check_document;
use test_support::program::{finish, succeed, texts, venv, yaml};
use test_support::repository;

use super::helm::render;
use super::manifests::{OPERATOR, find, judge, one, pod, validate};

/// Builds a kustomization.
fn build(kustomization: &Path) -> Vec<Value> {
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
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("applied.yaml");
    fs::write(&file, out).unwrap();
    yaml([file])
}

/// The chart's templates without the labels that say that Helm installed an object.
#[test]
fn the_base_is_what_the_chart_renders() {
    let values =
        json!({ "dashboard": { "enabled": false }, "prometheusRule": { "iamUsers": true } });
    let release = render(&[("aws-root-exporter", values)]).remove(0).unwrap();
    let manifests = release
        .texts
        .iter()
        .filter(|(name, _)| *name != "NOTES.txt");
    let mut documents = Vec::new();
    for (_, text) in manifests {
        let without_helm = |line: &&str| {
            !line.contains(" helm.sh/chart: ") && !line.contains(" app.kubernetes.io/managed-by: ")
        };
        let lines: Vec<_> = text.lines().filter(without_helm).collect();
        let text = lines.join("\n");
        let split = text
            .split("\n---\n")
            .map(|document| document.trim().to_owned());
        documents.extend(split.filter(|document| !document.is_empty()));
    }
    let (users, base): (Vec<_>, Vec<_>) = documents
        .into_iter()
        .partition(|document| document.contains("\n  name: aws-root-exporter-iam-users\n"));
    for (file, documents) in [
        ("base/aws-root-exporter.yaml", base),
        ("components/iam-users/prometheus-rule.yaml", users),
    ] {
        let text = format!(
            "# Rendered from deploy/helm/aws-root-exporter. After a change there:\n\
             #   UPDATE_DOCS=1 cargo test --features tools --test deploy kubernetes\n{}\n",
            documents.join("\n---\n")
        );
        check_document(
            &format!("deploy/kubernetes/{file}"),
            &text,
            "cargo test --features tools --test deploy kubernetes",
        );
    }
}

/// The labels and the dashboard, which the chart has for Grafana's sidecar, aside.
#[test]
fn the_base_means_what_the_chart_means() {
    let values = json!({ "dashboard": { "enabled": false } });
    let mut chart = render(&[("aws-root-exporter", values)])
        .remove(0)
        .unwrap()
        .objects;
    for object in &mut chart {
        let labels = object["metadata"]["labels"].as_object_mut().unwrap();
        labels.shift_remove("helm.sh/chart").unwrap();
        labels.shift_remove("app.kubernetes.io/managed-by").unwrap();
    }
    let mut base = build(&repository("deploy/kubernetes/base"));
    for objects in [&mut chart, &mut base] {
        objects.sort_by_key(|object| {
            let name = &object["metadata"]["name"];
            format!("{} {name}", object["kind"])
        });
    }
    assert_eq!(chart, base);
}

#[test]
fn the_overlays_are_sound() {
    for (name, replicas) in [("single", 1), ("sharded", 3)] {
        let objects = build(&repository("deploy/kubernetes/overlays").join(name));
        validate(&objects);
        judge(&objects);
        assert_eq!(one(&objects, "StatefulSet")["spec"]["replicas"], replicas);
        let namespace = &one(&objects, "Namespace")["metadata"];
        let level = &namespace["labels"]["pod-security.kubernetes.io/enforce"];
        assert_eq!(level, "restricted");
        let others = objects
            .iter()
            .filter(|object| object["kind"] != "Namespace");
        for object in others {
            assert_eq!(object["metadata"]["namespace"], namespace["name"]);
        }
    }
}

/// An overlay of a user, with each of the components that the shipped overlays do not have.
#[test]
fn the_optional_components_are_sound() {
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
        let objects = build(&mine);
        validate(&objects);
        judge(&objects);
        objects
    };

    let objects = with(&["without-prometheus-operator"]);
    assert_eq!(OPERATOR.map(|kind| find(&objects, kind)), [None, None]);

    let objects = with(&["iam-users"]);
    let rules = objects
        .iter()
        .filter(|object| object["kind"] == "PrometheusRule");
    assert_eq!(rules.count(), 2);

    let objects = with(&["without-volume"]);
    let set = &one(&objects, "StatefulSet")["spec"];
    assert!(set["volumeClaimTemplates"].is_null());
    let volumes = pod(&objects)["volumes"].as_array().unwrap();
    assert!(
        volumes
            .iter()
            .any(|v| v["name"] == "state" && v["emptyDir"].is_object())
    );
}
