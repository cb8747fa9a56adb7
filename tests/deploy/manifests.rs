//! Kubernetes objects, judged whether Helm or kustomize made them: valid, without privileges, connected
//! with each other, and with arguments and settings that the binary accepts.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use test_support::daemon::command as exporter;
use test_support::program::{finish, texts, venv, yaml};
use test_support::repository;

/// Kinds of the Prometheus operator, which are not in Kubernetes' schemas.
pub const OPERATOR: [&str; 2] = ["PrometheusRule", "ServiceMonitor"];

const NAME: &str = "app.kubernetes.io/name";

/// The only object of a kind, if there is one.
pub fn find<'a>(objects: &'a [Value], kind: &str) -> Option<&'a Value> {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let first = found.next();
    assert!(
        found.next().is_none(),
        "there are two objects of kind {kind}"
    );
    first
}

pub fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    find(objects, kind).unwrap_or_else(|| panic!("there is no object of kind {kind}"))
}

/// The pods' specification.
pub fn pod(objects: &[Value]) -> &Value {
    &one(objects, "StatefulSet")["spec"]["template"]["spec"]
}

/// The pods' only container.
pub fn container(objects: &[Value]) -> &Value {
    let containers = pod(objects)["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    &containers[0]
}

pub fn variable<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    let mut variables = container(objects)["env"].as_array().unwrap().iter();
    let found = variables.find(|variable| variable["name"] == name);
    found.unwrap_or_else(|| panic!("there is no variable {name}"))
}

/// The text of `config.toml`.
pub fn config(objects: &[Value]) -> &str {
    let mut maps = objects
        .iter()
        .filter_map(|object| object["data"]["config.toml"].as_str());
    maps.next().expect("a ConfigMap with config.toml")
}

/// Checks every field of all objects against Kubernetes' strict schemas.
pub fn validate<'a>(objects: impl IntoIterator<Item = &'a Value>) {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("applied.yaml");
    let documents: Vec<_> = objects.into_iter().map(Value::to_string).collect();
    assert!(!documents.is_empty());
    // A document in JSON is one in YAML.
    fs::write(&file, documents.join("\n---\n")).unwrap();
    let output = finish(
        Command::new(venv("kubernetes-validate"))
            .arg("--strict")
            .arg(&file),
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
    assert!(output.status.success() && other.is_empty(), "{other:#?}");
}

/// Judges the objects of one installation, all but their schemas.
pub fn judge(objects: &[Value]) {
    names_and_labels_are_short(objects);
    the_objects_select_each_other(objects);
    each_pod_is_the_shard_of_its_ordinal(objects);
    pods_have_no_privileges(objects);
    the_probes_use_the_health_listener(objects);
    the_volumes_are_there(objects);
    the_rules_and_the_dashboard_are_the_shipped_ones(objects);
    the_binary_accepts_the_configuration(objects);
}

/// Kubernetes allows 63 characters; the label `controller-revision-hash` of a pod is the name of its
/// StatefulSet and 11 more.
fn names_and_labels_are_short(objects: &[Value]) {
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        let limit = if object["kind"] == "StatefulSet" {
            52
        } else {
            63
        };
        assert!(name.len() <= limit, "{name} has {} characters", name.len());
        assert!(!name.ends_with('-'), "{name}");
        let labels = object["metadata"]["labels"].as_object();
        for (label, value) in labels.into_iter().flatten() {
            let value = value.as_str().unwrap();
            assert!(value.len() <= 63, "{label}: {value}");
        }
    }
}

/// Whether the labels have all that the selector wants.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels[name] == *value)
}

fn the_objects_select_each_other(objects: &[Value]) {
    let set = one(objects, "StatefulSet");
    let pods = &set["spec"]["template"]["metadata"]["labels"];
    let service = one(objects, "Service");
    assert_eq!(set["spec"]["serviceName"], service["metadata"]["name"]);
    assert!(selects(&set["spec"]["selector"]["matchLabels"], pods));
    assert!(selects(&service["spec"]["selector"], pods));
    assert_eq!(
        service["spec"]["clusterIP"], "None",
        "each shard is a target of its own"
    );
    if let Some(budget) = find(objects, "PodDisruptionBudget") {
        assert!(selects(&budget["spec"]["selector"]["matchLabels"], pods));
    }
    if let Some(policy) = find(objects, "NetworkPolicy") {
        assert!(selects(&policy["spec"]["podSelector"]["matchLabels"], pods));
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        assert_eq!(
            policy["spec"]["ingress"][0]["ports"][0]["port"],
            service["spec"]["ports"][0]["targetPort"]
        );
    }
    for constraint in pod(objects)["topologySpreadConstraints"]
        .as_array()
        .into_iter()
        .flatten()
    {
        assert!(selects(&constraint["labelSelector"]["matchLabels"], pods));
    }
    if let Some(monitor) = find(objects, "ServiceMonitor") {
        let labels = &service["metadata"]["labels"];
        assert!(selects(&monitor["spec"]["selector"]["matchLabels"], labels));
        // The rules select this job; the operator takes its name from this label of the service.
        let label = monitor["spec"]["jobLabel"].as_str().unwrap();
        assert_eq!(labels[label], "aws-root-exporter");
        let endpoint = &monitor["spec"]["endpoints"][0];
        assert_eq!(endpoint["port"], service["spec"]["ports"][0]["name"]);
        assert_eq!(endpoint["honorLabels"], true);
    }
    if let Some(account) = find(objects, "ServiceAccount") {
        assert_eq!(
            account["metadata"]["name"],
            pod(objects)["serviceAccountName"]
        );
        assert_eq!(account["automountServiceAccountToken"], false);
    }
    assert!(!pods[NAME].is_null());
}

fn each_pod_is_the_shard_of_its_ordinal(objects: &[Value]) {
    let index = variable(objects, "AWS_ROOT_EXPORTER__SHARD__INDEX");
    assert_eq!(
        index["valueFrom"]["fieldRef"]["fieldPath"],
        "metadata.labels['apps.kubernetes.io/pod-index']"
    );
    let replicas = &one(objects, "StatefulSet")["spec"]["replicas"];
    let total = &variable(objects, "AWS_ROOT_EXPORTER__SHARD__TOTAL")["value"];
    assert_eq!(total.as_str().unwrap(), replicas.to_string());
}

fn pods_have_no_privileges(objects: &[Value]) {
    let pod = pod(objects);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );
    assert_eq!(pod["automountServiceAccountToken"], false);
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod[field].is_null());
    }
    let container = container(objects);
    let security = &container["securityContext"];
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["privileged"], false);
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["capabilities"], json!({ "drop": ["ALL"] }));
    assert!(container["resources"]["limits"]["memory"].is_string());
}

fn the_probes_use_the_health_listener(objects: &[Value]) {
    let container = container(objects);
    let ports = container["ports"].as_array().unwrap();
    let port = |name| &ports.iter().find(|port| port["name"] == name).unwrap()["containerPort"];
    for flag in [
        format!("--web.listen-address=[::]:{}", port("http")),
        format!("--web.health-listen-address=[::]:{}", port("health")),
    ] {
        assert!(
            container["args"].as_array().unwrap().contains(&json!(flag)),
            "{flag}"
        );
    }
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

/// Each mounted volume exists, and nothing else; the state is where the image has it.
fn the_volumes_are_there(objects: &[Value]) {
    let name = |volume: &Value| volume["name"].as_str().unwrap().to_owned();
    let mounts: BTreeMap<_, _> = container(objects)["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| (name(mount), mount["mountPath"].as_str().unwrap()))
        .collect();
    assert_eq!(mounts["state"], "/var/lib/aws-root-exporter");
    let volumes = pod(objects)["volumes"].as_array().unwrap().iter().map(name);
    let claims = one(objects, "StatefulSet")["spec"]["volumeClaimTemplates"].as_array();
    let claims = claims
        .into_iter()
        .flatten()
        .map(|claim| name(&claim["metadata"]));
    let mut all: Vec<_> = volumes.chain(claims).collect();
    all.sort_unstable();
    assert!(all.iter().eq(mounts.keys()), "{all:?} are not {mounts:?}");
}

fn the_rules_and_the_dashboard_are_the_shipped_ones(objects: &[Value]) {
    static SHIPPED: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let file = |name| repository(format!("deploy/prometheus/{name}.rules.yml"));
        yaml(["aws-root-exporter", "aws-iam-users"].map(file))
    });
    for object in objects
        .iter()
        .filter(|object| object["kind"] == "PrometheusRule")
    {
        let is_for_users = object["metadata"]["name"]
            .as_str()
            .unwrap()
            .ends_with("-iam-users");
        let rules = &SHIPPED[usize::from(is_for_users)];
        assert!(
            object["spec"] == *rules,
            "the rules differ from deploy/prometheus"
        );
    }
    let dashboards = objects
        .iter()
        .filter_map(|object| object["data"]["aws-root-exporter.json"].as_str());
    for dashboard in dashboards {
        let shipped = fs::read_to_string(repository("grafana/aws-root-exporter.json")).unwrap();
        assert!(dashboard == shipped, "the dashboard differs from grafana/");
    }
}

/// The arguments and variables are those of the last pod. A file that a volume would have is made here.
fn the_binary_accepts_the_configuration(objects: &[Value]) {
    let folder = TempDir::new().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    };
    let config = file("config.toml", config(objects));
    let web = file("web.yml", "");
    let container = container(objects);
    let replicas = one(objects, "StatefulSet")["spec"]["replicas"]
        .as_u64()
        .unwrap();
    let mut command = exporter();
    command.arg("--config.check");
    for argument in container["args"].as_array().unwrap() {
        let argument = argument.as_str().unwrap();
        let argument = argument.replace("/etc/aws-root-exporter/config.toml", &config);
        command.arg(argument.replace("/etc/aws-root-exporter-web/web.yml", &web));
    }
    for variable in container["env"].as_array().unwrap() {
        let is_index = variable["name"] == "AWS_ROOT_EXPORTER__SHARD__INDEX";
        let ordinal = is_index.then(|| (replicas - 1).to_string());
        let value = ordinal.as_deref().or(variable["value"].as_str());
        if let Some(value) = value {
            command.env(variable["name"].as_str().unwrap(), value);
        }
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
}
