//! Each value of the chart, set to something else than its default, with all that then changes in what
//! Helm renders: the field with its new value, or null where it is gone.

use serde_json::{Value, json};

use super::VERSION;

/// Values whose effect is no list of fields; tests of their own have them.
pub const TESTED_BY_THEMSELVES: [&str; 7] = [
    "commonLabels",
    "extraVolumes",
    "fullnameOverride",
    "nameOverride",
    "prometheusRule.runbookUrl",
    "web.tlsSecret",
    // Of a chart that has this one as a part; it is accepted and not used.
    "global",
];

/// A change of the pods.
fn pods(changes: Value) -> Value {
    within("StatefulSet:aws-root-exporter/spec/template/spec", changes)
}

/// A change of the pods' container.
fn container(changes: Value) -> Value {
    pods(within("containers/0", changes))
}

fn monitor(changes: Value) -> Value {
    within("ServiceMonitor:aws-root-exporter/spec/endpoints/0", changes)
}

fn policy(changes: Value) -> Value {
    within("NetworkPolicy:aws-root-exporter/spec", changes)
}

fn claim(changes: Value) -> Value {
    within(
        "StatefulSet:aws-root-exporter/spec/volumeClaimTemplates/0",
        changes,
    )
}

fn dashboard(changes: Value) -> Value {
    within("ConfigMap:aws-root-exporter-dashboard/metadata", changes)
}

fn within(path: &str, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("changes are an object");
    };
    let changes = changes.into_iter();
    changes
        .map(|(name, value)| (format!("{path}/{name}"), value))
        .collect()
}

/// A value's path, what it is set to, and what that changes.
type Case = (&'static str, Value, Value);

pub fn cases() -> Vec<Case> {
    let mut cases = program();
    cases.extend(identity_and_storage());
    cases.extend(monitoring());
    cases.extend(network());
    cases.extend(scheduling());
    cases.extend(additions());
    cases
}

fn program() -> Vec<Case> {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let queue = "https://sqs.us-east-1.amazonaws.com/111122223333/aws-root-exporter-{shard}";
    vec![
        (
            "shards",
            json!(3),
            json!({
                "StatefulSet:aws-root-exporter/spec/replicas": 3,
                "StatefulSet:aws-root-exporter/spec/template/spec/containers/0/env/1/value": "3",
            }),
        ),
        (
            "config",
            json!({ "organization": { "enabled": true } }),
            json!({ "ConfigMap:aws-root-exporter/data/config.toml":
                "# The addresses, the path of the state and the shard are set by the image and the StatefulSet.\n\
                 [organization]\nenabled = true\n" }),
        ),
        (
            "events.queueUrl",
            json!(queue),
            container(json!({
                "env/2/name": "AWS_ROOT_EXPORTER__EVENTS__QUEUE_URL",
                "env/2/value": queue,
            })),
        ),
        (
            "web.existingSecret",
            json!("exporter-web"),
            pods(json!({
                "containers/0/args/4": "--web.config.file=/etc/aws-root-exporter-web/web.yml",
                "containers/0/volumeMounts/2/name": "web",
                "containers/0/volumeMounts/2/mountPath": "/etc/aws-root-exporter-web",
                "containers/0/volumeMounts/2/readOnly": true,
                "volumes/1/name": "web",
                "volumes/1/projected/defaultMode": 0o440,
                "volumes/1/projected/sources/0/secret/name": "exporter-web",
            })),
        ),
        (
            "image.repository",
            json!("registry.example.com/exporter"),
            container(json!({ "image": format!("registry.example.com/exporter:{VERSION}") })),
        ),
        (
            "image.tag",
            json!("1.2.3"),
            container(json!({ "image": "aws-root-exporter:1.2.3" })),
        ),
        (
            "image.digest",
            json!(digest),
            container(json!({ "image": format!("aws-root-exporter@{digest}") })),
        ),
        (
            "image.pullPolicy",
            json!("Always"),
            container(json!({ "imagePullPolicy": "Always" })),
        ),
        (
            "imagePullSecrets",
            json!([{ "name": "registry" }]),
            pods(json!({ "imagePullSecrets/0/name": "registry" })),
        ),
    ]
}

fn identity_and_storage() -> Vec<Case> {
    let role = "arn:aws:iam::111122223333:role/aws-root-exporter-hub";
    vec![
        ("serviceAccount.create", json!(false), {
            let mut changes = pods(json!({ "serviceAccountName": "default" }));
            changes["ServiceAccount:aws-root-exporter"] = Value::Null;
            changes
        }),
        ("serviceAccount.name", json!("audit"), {
            let mut changes = pods(json!({ "serviceAccountName": "audit" }));
            changes["ServiceAccount:aws-root-exporter"] = Value::Null;
            changes["ServiceAccount:audit"] = json!("new");
            changes
        }),
        (
            "serviceAccount.annotations",
            json!({ "eks.amazonaws.com/role-arn": role, "eks.amazonaws.com/sts-regional-endpoints": "true" }),
            within(
                "ServiceAccount:aws-root-exporter/metadata/annotations",
                json!({ "eks.amazonaws.com/role-arn": role, "eks.amazonaws.com/sts-regional-endpoints": "true" }),
            ),
        ),
        ("persistence.enabled", json!(false), {
            let mut changes =
                pods(json!({ "volumes/1/name": "state", "volumes/1/emptyDir/sizeLimit": "256Mi" }));
            for field in [
                "metadata/name",
                "metadata/labels/app.kubernetes.io/instance",
                "metadata/labels/app.kubernetes.io/name",
                "spec/accessModes/0",
                "spec/resources/requests/storage",
            ] {
                let claim = claim(json!({ field: null }));
                changes
                    .as_object_mut()
                    .unwrap()
                    .extend(claim.as_object().unwrap().clone());
            }
            changes
        }),
        (
            "persistence.size",
            json!("2Gi"),
            claim(json!({ "spec/resources/requests/storage": "2Gi" })),
        ),
        (
            "persistence.storageClass",
            json!("gp3"),
            claim(json!({ "spec/storageClassName": "gp3" })),
        ),
        (
            "persistence.accessModes",
            json!(["ReadWriteOncePod"]),
            claim(json!({ "spec/accessModes/0": "ReadWriteOncePod" })),
        ),
        (
            "persistence.annotations",
            json!({ "backup": "no" }),
            claim(json!({ "metadata/annotations/backup": "no" })),
        ),
    ]
}

fn monitoring() -> Vec<Case> {
    vec![
        (
            "serviceMonitor.enabled",
            json!(false),
            json!({ "ServiceMonitor:aws-root-exporter": null }),
        ),
        (
            "serviceMonitor.labels",
            json!({ "release": "kube-prometheus-stack" }),
            json!({ "ServiceMonitor:aws-root-exporter/metadata/labels/release": "kube-prometheus-stack" }),
        ),
        (
            "serviceMonitor.interval",
            json!("15s"),
            monitor(json!({ "interval": "15s" })),
        ),
        (
            "serviceMonitor.scrapeTimeout",
            json!("5s"),
            monitor(json!({ "scrapeTimeout": "5s" })),
        ),
        (
            "serviceMonitor.scheme",
            json!("https"),
            monitor(json!({ "scheme": "https" })),
        ),
        (
            "serviceMonitor.tlsConfig",
            json!({ "serverName": "exporter", "ca": { "secret": { "name": "tls", "key": "ca.crt" } } }),
            monitor(json!({
                "tlsConfig/serverName": "exporter",
                "tlsConfig/ca/secret/name": "tls",
                "tlsConfig/ca/secret/key": "ca.crt",
            })),
        ),
        (
            "serviceMonitor.basicAuth",
            json!({ "username": { "name": "scraper", "key": "user" }, "password": { "name": "scraper", "key": "password" } }),
            monitor(json!({
                "basicAuth/username/name": "scraper",
                "basicAuth/username/key": "user",
                "basicAuth/password/name": "scraper",
                "basicAuth/password/key": "password",
            })),
        ),
        (
            "serviceMonitor.relabelings",
            json!([{ "targetLabel": "cluster", "replacement": "prod" }]),
            monitor(
                json!({ "relabelings/0/targetLabel": "cluster", "relabelings/0/replacement": "prod" }),
            ),
        ),
        (
            "serviceMonitor.metricRelabelings",
            json!([{ "action": "labeldrop", "regex": "pod" }]),
            monitor(
                json!({ "metricRelabelings/0/action": "labeldrop", "metricRelabelings/0/regex": "pod" }),
            ),
        ),
        (
            "prometheusRule.enabled",
            json!(false),
            json!({ "PrometheusRule:aws-root-exporter": null }),
        ),
        (
            "prometheusRule.iamUsers",
            json!(true),
            json!({ "PrometheusRule:aws-root-exporter-iam-users": "new" }),
        ),
        (
            "prometheusRule.labels",
            json!({ "release": "kube-prometheus-stack" }),
            json!({ "PrometheusRule:aws-root-exporter/metadata/labels/release": "kube-prometheus-stack" }),
        ),
        (
            "dashboard.enabled",
            json!(false),
            json!({ "ConfigMap:aws-root-exporter-dashboard": null }),
        ),
        (
            "dashboard.labels",
            json!({ "grafana_dashboard": null, "dashboards": "yes" }),
            dashboard(json!({ "labels/grafana_dashboard": null, "labels/dashboards": "yes" })),
        ),
        (
            "dashboard.annotations",
            json!({ "grafana_folder": "AWS" }),
            dashboard(json!({ "annotations/grafana_folder": "AWS" })),
        ),
    ]
}

fn network() -> Vec<Case> {
    vec![
        (
            "service.annotations",
            json!({ "a": "b" }),
            json!({ "Service:aws-root-exporter/metadata/annotations/a": "b" }),
        ),
        (
            "service.ipFamilyPolicy",
            json!("PreferDualStack"),
            json!({ "Service:aws-root-exporter/spec/ipFamilyPolicy": "PreferDualStack" }),
        ),
        (
            "service.ipFamilies",
            json!(["IPv6", "IPv4"]),
            within(
                "Service:aws-root-exporter/spec/ipFamilies",
                json!({ "0": "IPv6", "1": "IPv4" }),
            ),
        ),
        (
            "networkPolicy.enabled",
            json!(false),
            json!({ "NetworkPolicy:aws-root-exporter": null }),
        ),
        (
            "networkPolicy.from",
            json!([{ "podSelector": { "matchLabels": { "app": "prometheus" } } }]),
            policy(within(
                "ingress/0/from/0",
                json!({
                    "namespaceSelector/matchLabels/kubernetes.io/metadata.name": null,
                    "podSelector/matchLabels/app": "prometheus",
                }),
            )),
        ),
        (
            "networkPolicy.from",
            json!([]),
            policy(json!({
                "ingress/0/from": [],
                "ingress/0/from/0/namespaceSelector/matchLabels/kubernetes.io/metadata.name": null,
            })),
        ),
        (
            "networkPolicy.ingress",
            json!([{ "ports": [{ "protocol": "TCP", "port": "health" }] }]),
            policy(
                json!({ "ingress/1/ports/0/protocol": "TCP", "ingress/1/ports/0/port": "health" }),
            ),
        ),
        (
            "networkPolicy.egress",
            json!([{ "to": [{ "ipBlock": { "cidr": "10.0.0.5/32" } }], "ports": [{ "protocol": "TCP", "port": 3128 }] }]),
            policy(json!({
                "egress/3/to/0/ipBlock/cidr": "10.0.0.5/32",
                "egress/3/ports/0/protocol": "TCP",
                "egress/3/ports/0/port": 3128,
            })),
        ),
        (
            "podDisruptionBudget.enabled",
            json!(false),
            json!({ "PodDisruptionBudget:aws-root-exporter": null }),
        ),
        (
            "podDisruptionBudget.maxUnavailable",
            json!("50%"),
            json!({ "PodDisruptionBudget:aws-root-exporter/spec/maxUnavailable": "50%" }),
        ),
    ]
}

fn scheduling() -> Vec<Case> {
    vec![
        (
            "podLabels",
            json!({ "team": "security" }),
            json!({ "StatefulSet:aws-root-exporter/spec/template/metadata/labels/team": "security" }),
        ),
        (
            "podAnnotations",
            json!({ "a": "b" }),
            json!({ "StatefulSet:aws-root-exporter/spec/template/metadata/annotations/a": "b" }),
        ),
        (
            "resources",
            json!({ "limits": { "cpu": null, "memory": "1Gi" } }),
            container(json!({ "resources/limits/cpu": null, "resources/limits/memory": "1Gi" })),
        ),
        (
            "podSecurityContext",
            json!({ "runAsUser": null, "runAsGroup": null, "fsGroup": null }),
            pods(json!({
                "securityContext/runAsUser": null,
                "securityContext/runAsGroup": null,
                "securityContext/fsGroup": null,
            })),
        ),
        (
            "securityContext",
            json!({ "runAsNonRoot": true }),
            container(json!({ "securityContext/runAsNonRoot": true })),
        ),
        (
            "nodeSelector",
            json!({ "disk": "ssd" }),
            pods(json!({ "nodeSelector/disk": "ssd" })),
        ),
        (
            "tolerations",
            json!([{ "key": "dedicated", "operator": "Exists" }]),
            pods(json!({ "tolerations/0/key": "dedicated", "tolerations/0/operator": "Exists" })),
        ),
        (
            "affinity",
            json!({ "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [] } }),
            pods(
                json!({ "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution": [] }),
            ),
        ),
        (
            "topologySpreadConstraints",
            json!([{ "maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule" }]),
            pods(within(
                "topologySpreadConstraints/0",
                json!({ "maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule" }),
            )),
        ),
        (
            "priorityClassName",
            json!("high"),
            pods(json!({ "priorityClassName": "high" })),
        ),
    ]
}

fn additions() -> Vec<Case> {
    vec![
        (
            "extraArgs",
            json!(["--log.format=json"]),
            container(json!({ "args/4": "--log.format=json" })),
        ),
        (
            "extraEnv",
            json!([{ "name": "AWS_ROOT_EXPORTER__LOG__LEVEL", "value": "debug" }]),
            container(
                json!({ "env/2/name": "AWS_ROOT_EXPORTER__LOG__LEVEL", "env/2/value": "debug" }),
            ),
        ),
        (
            "extraEnvFrom",
            json!([{ "secretRef": { "name": "aws-credentials" } }]),
            container(json!({ "envFrom/0/secretRef/name": "aws-credentials" })),
        ),
        (
            "extraVolumeMounts",
            json!([{ "name": "config", "mountPath": "/again", "readOnly": true }]),
            container(json!({
                "volumeMounts/2/name": "config",
                "volumeMounts/2/mountPath": "/again",
                "volumeMounts/2/readOnly": true,
            })),
        ),
    ]
}
