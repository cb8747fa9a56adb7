//! The Helm chart, rendered by Helm's own engine (`helm.py`): every value does what it says and nothing
//! else, the schema refuses what is not a value, and its documents are those of the schema.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use test_support::{check_document, repository};

use super::manifests::{config, container, find, judge, one, pod, validate};
use super::support::python;

mod values;

/// The version of the program, which is the chart's.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const CHART: &str = "deploy/helm/aws-root-exporter";

/// What Helm makes of a release.
#[derive(Deserialize)]
pub struct Release {
    /// The text of each template, by its name.
    pub texts: BTreeMap<String, String>,
    pub objects: Vec<Value>,
}

/// Renders releases, each of a name and values: what Helm makes of them, or its error.
pub fn render(releases: &[(&str, Value)]) -> Vec<Result<Release, String>> {
    render_chart(repository(CHART).to_str().unwrap(), releases)
}

fn render_chart(chart: &str, releases: &[(&str, Value)]) -> Vec<Result<Release, String>> {
    let releases: Vec<_> = releases
        .iter()
        .map(|(name, values)| json!({ "name": name, "namespace": "monitored", "values": values }))
        .collect();
    let rendered: Vec<Value> =
        serde_json::from_value(helm(&["render", chart], &releases.into())).unwrap();
    rendered
        .into_iter()
        .map(|release| match release.get("error") {
            Some(error) => Err(error.as_str().unwrap().to_owned()),
            None => Ok(serde_json::from_value(release).unwrap()),
        })
        .collect()
}

fn render_one(values: Value) -> Release {
    let release = render(&[("aws-root-exporter", values)]).remove(0);
    release.unwrap_or_else(|error| panic!("{error}"))
}

/// Runs `helm.py` and returns what it printed.
fn helm(arguments: &[&str], input: &Value) -> Value {
    python("helm.py", arguments, &input.to_string())
}

fn schema() -> Value {
    let text = fs::read_to_string(repository(CHART).join("values.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The paths of all values, such as `image.tag`.
fn paths(schema: &Value, parent: &str, found: &mut BTreeSet<String>) {
    for (name, value) in schema["properties"].as_object().unwrap() {
        let path = format!("{parent}{name}");
        if value.get("properties").is_some() {
            paths(value, &format!("{path}."), found);
        } else {
            found.insert(path);
        }
    }
}

/// Values with one of them set.
fn set(path: &str, value: &Value) -> Value {
    path.rsplit('.')
        .fold(value.clone(), |inner, name| json!({ name: inner }))
}

/// Every field of every object, by kind, name and path.
fn fields(objects: &[Value]) -> BTreeMap<String, Value> {
    fn visit(path: String, value: &Value, found: &mut BTreeMap<String, Value>) {
        let items: Vec<_> = match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, item)| (name.clone(), item))
                .collect(),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(at, item)| (at.to_string(), item))
                .collect(),
            _ => Vec::new(),
        };
        if items.is_empty() {
            found.insert(path, value.clone());
            return;
        }
        for (name, item) in items {
            visit(format!("{path}/{name}"), item, found);
        }
    }
    let mut found = BTreeMap::new();
    for object in objects {
        let (kind, name) = (&object["kind"], &object["metadata"]["name"]);
        let id = format!("{}:{}", kind.as_str().unwrap(), name.as_str().unwrap());
        visit(id, object, &mut found);
    }
    found
}

/// The fields that differ, with the new value, or null where it is gone. An object that is new or gone is
/// one entry.
fn changes(before: &[Value], after: &[Value]) -> Value {
    let (before, after) = (fields(before), fields(after));
    let objects = |fields: &BTreeMap<String, Value>| -> BTreeSet<String> {
        fields
            .keys()
            .map(|path| path.split('/').next().unwrap().to_owned())
            .collect()
    };
    let (old, new) = (objects(&before), objects(&after));
    let mut changes = Map::new();
    for path in before.keys().chain(after.keys()) {
        let object = path.split('/').next().unwrap();
        let (path, value) = match (old.contains(object), new.contains(object)) {
            (true, false) => (object, Value::Null),
            (false, true) => (object, json!("new")),
            _ if before.get(path) == after.get(path) => continue,
            _ => (
                path.as_str(),
                after.get(path).cloned().unwrap_or(Value::Null),
            ),
        };
        changes.insert(path.to_owned(), value);
    }
    Value::Object(changes)
}

#[test]
fn every_value_changes_what_it_says_and_nothing_else() {
    let cases = values::cases();
    let mut releases = vec![("aws-root-exporter", json!({}))];
    let set = cases
        .iter()
        .map(|(path, value, _)| ("aws-root-exporter", set(path, value)));
    releases.extend(set);
    let mut rendered = render(&releases).into_iter();
    let defaults = rendered.next().unwrap().unwrap().objects;
    let mut all = defaults.clone();
    for ((path, value, expected), release) in cases.iter().zip(rendered) {
        let release = release.unwrap_or_else(|error| panic!("{path}: {value}: {error}"));
        let found = changes(&defaults, &release.objects);
        assert_eq!(found, *expected, "{path}: {value}");
        assert_ne!(found, json!({}), "{path}: {value}");
        judge(&release.objects);
        all.extend(release.objects);
    }
    // What is the same in many releases is validated once.
    let mut seen = BTreeSet::new();
    all.retain(|object| seen.insert(object.to_string()));
    validate(&all);
}

#[test]
fn no_value_is_without_a_test() {
    let mut known = BTreeSet::new();
    paths(&schema(), "", &mut known);
    let cases = values::cases();
    let mut tested: BTreeSet<_> = cases
        .into_iter()
        .map(|(path, ..)| path.to_owned())
        .collect();
    tested.extend(values::TESTED_BY_THEMSELVES.map(str::to_owned));
    assert_eq!(tested, known);
}

#[test]
fn the_chart_renders_without_values() {
    let release = render_one(json!({}));
    judge(&release.objects);
    validate(&release.objects);
    let set = &one(&release.objects, "StatefulSet")["spec"];
    assert_eq!(set["replicas"], 1);
    assert!(
        config(&release.objects)
            .lines()
            .all(|line| line.starts_with('#'))
    );
    // A release of another name, in a cluster with several.
    let other = render(&[("audit", json!({}))]).remove(0).unwrap();
    judge(&other.objects);
    assert_eq!(
        one(&other.objects, "StatefulSet")["metadata"]["name"],
        "audit-aws-root-exporter"
    );
}

#[test]
fn helm_lint_finds_nothing() {
    let found = helm(&["lint", repository(CHART).to_str().unwrap()], &Value::Null);
    assert_eq!(
        found,
        json!({ "total_charts_linted": 1, "messages": [], "errors": [] })
    );
}

#[test]
fn many_values_at_once_are_sound() {
    let cases = values::cases();
    let mut merged = json!({});
    for (path, value, _) in &cases {
        let is_removal = *value == json!(false);
        if !is_removal {
            merge(&mut merged, &set(path, value));
        }
    }
    let objects = render_one(merged).objects;
    judge(&objects);
    validate(&objects);
    assert_eq!(one(&objects, "StatefulSet")["spec"]["replicas"], 3);
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(json!({})), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

#[test]
fn the_name_of_a_release_with_a_dot_is_one_of_a_service() {
    let release = render(&[("audit.v2", json!({ "nameOverride": "123" }))]).remove(0);
    for object in release.unwrap().objects {
        let (name, labels) = (&object["metadata"]["name"], &object["metadata"]["labels"]);
        assert!(name.as_str().unwrap().starts_with("audit-v2-123"), "{name}");
        assert_eq!(labels["app.kubernetes.io/name"], "123");
    }
}

#[test]
fn names_of_any_length_are_cut() {
    let long = "a-very-long-name-of-a-release-that-fills-the-whole-fi";
    assert_eq!(long.len(), 53, "Helm's limit");
    let overrides = "x".repeat(51) + "-" + &"y".repeat(30);
    for values in [
        json!({}),
        json!({ "nameOverride": overrides }),
        json!({ "fullnameOverride": overrides }),
    ] {
        let values = {
            let mut all = values;
            all["prometheusRule"] = json!({ "iamUsers": true });
            all
        };
        let release = render(&[(long, values)]).remove(0).unwrap();
        judge(&release.objects);
        validate(&release.objects);
    }
}

#[test]
fn names_and_labels_are_those_of_the_values() {
    let objects = render_one(
        json!({ "nameOverride": "audit", "commonLabels": { "team": "sec", "helm.sh/chart": "x" } }),
    )
    .objects;
    judge(&objects);
    for object in &objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("aws-root-exporter-audit"), "{name}");
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/name"], "audit");
        assert_eq!(labels["team"], "sec");
        assert_eq!(
            labels["helm.sh/chart"],
            format!("aws-root-exporter-{VERSION}")
        );
    }
    assert_eq!(
        one(&objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"]["team"],
        "sec"
    );
    let objects = render_one(json!({ "fullnameOverride": "audit" })).objects;
    judge(&objects);
    for object in &objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(["audit", "audit-dashboard"].contains(&name), "{name}");
    }
}

/// The text of `config.toml` that the chart makes of a map has the map's meaning.
#[test]
fn a_map_becomes_the_configuration() {
    let map = json!({
        "accounts": [
            { "id": "111122223333", "name": "a \"quoted\" <name> & a \\", "labels": { "team": "ümläut", "cost_center": "7" } },
            { "id": "444455556666", "region": "us-gov-west-1" },
        ],
        "exceptions": [
            { "account": "111122223333", "key": "AKIAIOSFODNN7EXAMPLE", "reason": "until it is off", "until": "2999-12-31" },
        ],
        "organization": { "enabled": true, "access": "both", "exclude": ["777788889999"], "tag_labels": [] },
        "refresh": { "interval": "90s", "concurrency": 64 },
        "users": { "detail": true, "max_detail_series": 1_000_000, "key_age_days": [30, 90] },
    });
    let objects = render_one(json!({ "config": map })).objects;
    judge(&objects);
    let text = config(&objects);
    let read: Value = Figment::from(Toml::string(text)).extract().unwrap();
    assert_eq!(read, map, "{text}");
}

#[test]
fn a_text_is_the_configuration() {
    let text = "[refresh]\ninterval = \"5m\"   # {{ no template }}\n";
    let objects = render_one(json!({ "config": text })).objects;
    judge(&objects);
    assert!(config(&objects).ends_with(text), "{}", config(&objects));
}

/// The node's probes use the health listener, so TLS and passwords do not matter to them.
/// The monitor of the Prometheus operator asks where the configuration says, a map or a text, and null is no setting.
#[test]
fn the_path_of_the_metrics_is_that_of_the_configuration() {
    for (config, path) in [
        (json!({}), "/metrics"),
        (json!({ "web": { "telemetry_path": null } }), "/metrics"),
        (json!({ "web": { "telemetry_path": "/x" } }), "/x"),
        (json!("[web]\ntelemetry_path = \"/y\"\n"), "/y"),
    ] {
        let release = render_one(json!({ "config": config }));
        let monitor = &release.texts["servicemonitor.yaml"];
        assert!(monitor.contains(&format!("path: \"{path}\"")), "{config}");
        assert!(!release.texts["configmap.yaml"].contains("null"));
    }
}

#[test]
fn a_spread_constraint_keeps_a_selector_of_its_own() {
    let mine = json!({ "matchExpressions": [{ "key": "app", "operator": "Exists" }] });
    let constraint = json!({ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": mine });
    let release = render_one(json!({ "topologySpreadConstraints": [constraint] }));
    let set = release
        .objects
        .iter()
        .find(|it| it["kind"] == "StatefulSet");
    let pods = &set.unwrap()["spec"]["template"]["spec"];
    assert_eq!(pods["topologySpreadConstraints"], json!([constraint]));
}

#[test]
fn tls_and_passwords_come_from_secrets() {
    let objects = render_one(json!({
        "web": { "existingSecret": "exporter-web", "tlsSecret": "exporter-tls" },
        "serviceMonitor": { "scheme": "https", "basicAuth": { "username": { "name": "scraper", "key": "user" }, "password": { "name": "scraper", "key": "password" } } },
    }))
    .objects;
    judge(&objects);
    validate(&objects);
    let volumes = pod(&objects)["volumes"].as_array().unwrap();
    let web = volumes
        .iter()
        .find(|volume| volume["name"] == "web")
        .unwrap();
    assert_eq!(
        web["projected"]["sources"],
        json!([{ "secret": { "name": "exporter-web" } }, { "secret": { "name": "exporter-tls" } }])
    );
    let mounts = container(&objects)["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["name"] == "web").unwrap();
    let flag = format!(
        "--web.config.file={}/web.yml",
        mount["mountPath"].as_str().unwrap()
    );
    assert!(
        container(&objects)["args"]
            .as_array()
            .unwrap()
            .contains(&json!(flag))
    );
    let endpoint = &one(&objects, "ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(endpoint["scheme"], "https");
}

#[test]
fn volumes_can_be_added() {
    let volume = json!({ "name": "aws", "secret": { "secretName": "aws-config" } });
    let objects = render_one(json!({
        "extraVolumes": [volume],
        "extraVolumeMounts": [{ "name": "aws", "mountPath": "/aws", "readOnly": true }],
        "extraEnv": [{ "name": "AWS_SHARED_CREDENTIALS_FILE", "value": "/aws/credentials" }],
    }))
    .objects;
    judge(&objects);
    validate(&objects);
    assert!(
        pod(&objects)["volumes"]
            .as_array()
            .unwrap()
            .contains(&volume)
    );
}

#[test]
fn runbooks_have_the_address_of_the_values() {
    let values = |url: &str| json!({ "prometheusRule": { "iamUsers": true, "runbookUrl": url } });
    let (shipped, own) = (
        render_one(values("")),
        render_one(values("https://wiki.example.com/books/")),
    );
    let base = "https://github.com/aws-root-exporter/aws-root-exporter/blob/main/deploy/runbooks/";
    let text = |release: &Release| release.texts["prometheusrule.yaml"].clone();
    assert!(text(&shipped).matches(base).count() > 20);
    assert_eq!(
        text(&own),
        text(&shipped).replace(base, "https://wiki.example.com/books/")
    );
}

#[test]
fn what_is_no_value_is_refused() {
    let cases = [
        (json!({ "shard": 3 }), "'shard' not allowed"),
        (json!({ "image": { "name": "x" } }), "'name' not allowed"),
        (json!({ "shards": 0 }), "minimum"),
        (json!({ "shards": 1.5 }), "/shards"),
        (json!({ "shards": "3" }), "/shards"),
        (
            json!({ "image": { "digest": "sha256:1" } }),
            "/image/digest",
        ),
        (
            json!({ "image": { "pullPolicy": "Sometimes" } }),
            "/image/pullPolicy",
        ),
        (
            json!({ "persistence": { "enabled": "yes" } }),
            "/persistence/enabled",
        ),
        (
            json!({ "serviceMonitor": { "scheme": "tls" } }),
            "/serviceMonitor/scheme",
        ),
        (json!({ "commonLabels": { "a": 1 } }), "/commonLabels/a"),
        (json!({ "extraEnv": { "a": "b" } }), "/extraEnv"),
        (
            json!({ "config": { "interval": "60s" } }),
            "config.interval must be a section",
        ),
        (
            json!({ "web": { "tlsSecret": "x" } }),
            "web.tlsSecret needs web.existingSecret",
        ),
        (
            json!({ "shards": 2, "events": { "queueUrl": "https://sqs.us-east-1.amazonaws.com/111122223333/q" } }),
            "must contain {shard}",
        ),
        (
            json!({ "shards": 2, "config": { "events": { "queue_url": "https://sqs.us-east-1.amazonaws.com/1/q" } } }),
            "must contain {shard}",
        ),
        (
            json!({ "shards": 2, "config": "[events]\nqueue_url = \"https://sqs.us-east-1.amazonaws.com/1/q\"\n" }),
            "must contain {shard}",
        ),
        // What is null has no default any more.
        (json!({ "shards": null }), "'shards'"),
        (json!({ "web": null }), "'web'"),
        (json!({ "networkPolicy": { "from": null } }), "'from'"),
        (json!({ "image": { "repository": null } }), "'repository'"),
        (
            json!({ "image": { "repository": "registry/x:1.0" } }),
            "/image/repository",
        ),
        (json!({ "nameOverride": "My_Name" }), "/nameOverride"),
        (json!({ "fullnameOverride": "x: y" }), "/fullnameOverride"),
        (
            json!({ "commonLabels": { "team": "x y" } }),
            "/commonLabels",
        ),
        (
            json!({ "podDisruptionBudget": { "maxUnavailable": "banana" } }),
            "/podDisruptionBudget/maxUnavailable",
        ),
        (
            json!({ "prometheusRule": { "runbookUrl": "https://wiki/x y#: z" } }),
            "/prometheusRule/runbookUrl",
        ),
        (
            json!({ "service": { "ipFamilies": ["IPv4", "IPv4"] } }),
            "/service/ipFamilies",
        ),
    ];
    let releases = cases
        .clone()
        .map(|(values, _)| ("aws-root-exporter", values));
    for ((values, part), release) in cases.into_iter().zip(render(&releases)) {
        match release {
            Ok(_) => panic!("{values} is accepted"),
            Err(error) => assert!(error.contains(part), "{values}: {error}"),
        }
    }
}

/// Its notes name what is still missing.
#[test]
fn the_notes_say_what_to_do_next() {
    let notes = |values| render_one(values).texts["NOTES.txt"].clone();
    let first = notes(json!({}));
    for part in [
        "runs as 1 pod.",
        "--namespace monitored port-forward statefulset/aws-root-exporter 10057",
        "create-pod-identity-association",
        &format!("no registry has the image aws-root-exporter:{VERSION}"),
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    let complete = json!({
        "shards": 3,
        "image": { "repository": "registry.example.com/aws-root-exporter" },
        "serviceAccount": { "annotations": { "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/x" } },
    });
    let complete = notes(complete);
    assert!(
        complete.contains("runs as 3 pods, which share the accounts"),
        "{complete}"
    );
    for part in ["WARNING", "create-pod-identity-association"] {
        assert!(!complete.contains(part), "{part}: {complete}");
    }
    for (values, part) in [
        (
            json!({ "persistence": { "enabled": false } }),
            "persistence.enabled is false",
        ),
        (
            json!({ "networkPolicy": { "enabled": false } }),
            "set networkPolicy.enabled or",
        ),
        (
            json!({ "networkPolicy": { "from": [] } }),
            "set networkPolicy.from or",
        ),
    ] {
        let notes = notes(values);
        assert!(notes.contains(part), "{part}: {notes}");
    }
}

/// The archive has the shipped rules and dashboard, and renders the same.
#[test]
fn the_archive_is_the_chart() {
    let folder = TempDir::new().expect("a temporary folder");
    let archive = helm(
        &[
            "package",
            repository(CHART).to_str().unwrap(),
            folder.path().to_str().unwrap(),
        ],
        &Value::Null,
    );
    let archive = archive.as_str().unwrap();
    assert!(
        archive.ends_with(&format!("/aws-root-exporter-{VERSION}.tgz")),
        "{archive}"
    );
    let releases = [(
        "aws-root-exporter",
        json!({ "prometheusRule": { "iamUsers": true } }),
    )];
    let packed = render_chart(archive, &releases).remove(0).unwrap();
    let folder = render(&releases).remove(0).unwrap();
    assert_eq!(packed.texts, folder.texts);
    assert_eq!(
        find(&packed.objects, "ServiceMonitor"),
        find(&folder.objects, "ServiceMonitor")
    );
}

/// `values.yaml` and the table of the README.
#[test]
fn the_documents_are_those_of_the_schema() {
    let documents = helm(
        &["documents", repository(CHART).to_str().unwrap()],
        &Value::Null,
    );
    let text = |name: &str| documents[name].as_str().unwrap();
    let command = "cargo test --features tools --test deploy helm";
    check_document(&format!("{CHART}/values.yaml"), text("values"), command);
    let readme = format!("{CHART}/README.md");
    let current = fs::read_to_string(repository(&readme)).unwrap();
    let (before, rest) = current.split_once("| value | default |").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap_or(("", ""));
    let after = if after.is_empty() {
        String::new()
    } else {
        format!("\n{after}")
    };
    check_document(
        &readme,
        &format!("{before}{}{after}", text("table")),
        command,
    );
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart = fs::read_to_string(repository(CHART).join("Chart.yaml")).unwrap();
    for line in [
        format!("\nversion: {VERSION}\n"),
        format!("\nappVersion: {VERSION}\n"),
    ] {
        assert!(chart.contains(&line), "Chart.yaml has no {line}");
    }
}
