//! The provisioning files, from which Grafana reads the data source and the dashboard when it starts.

use std::fs;
use std::path::Path;

use serde_json::Value;
use test_support::program::yaml;
use test_support::repository;

use crate::dashboard::Dashboard;

/// Where deployments mount `grafana/aws-root-exporter.json`'s folder.
const DASHBOARDS: &str = "/var/lib/grafana/dashboards";

/// A YAML file with one document.
fn read(name: &str) -> Value {
    yaml([repository(name)]).remove(0)
}

#[test]
fn the_default_data_source_is_prometheus() {
    let file = read("grafana/provisioning/datasources/prometheus.yml");

    assert_eq!(file["apiVersion"], 1);
    let [source] = &file["datasources"].as_array().unwrap()[..] else {
        panic!("one data source")
    };
    let kind = Dashboard::read().variable("datasource").query.clone();
    assert_eq!(
        source["type"], kind,
        "the type that the dashboard's variable lists"
    );
    assert_eq!(
        source["isDefault"], true,
        "the variable chooses the default"
    );
    assert!(source["uid"].is_string() && source["url"].as_str().unwrap().starts_with("http"));
}

#[test]
fn the_dashboard_is_read_from_where_deployments_mount_it() {
    let file = read("grafana/provisioning/dashboards/aws-root-exporter.yml");

    assert_eq!(file["apiVersion"], 1);
    let [provider] = &file["providers"].as_array().unwrap()[..] else {
        panic!("one provider")
    };
    assert_eq!(provider["type"], "file");
    assert_eq!(provider["options"]["path"], DASHBOARDS);
    // A change made in the browser would be lost at the next start.
    assert_eq!(provider["allowUiUpdates"], false);
}

#[test]
fn grafana_reads_every_file() {
    // Grafana reads only folders with these names, and only their `.yml` files.
    for (folder, files) in [("datasources", 1), ("dashboards", 1)] {
        let entries = fs::read_dir(repository("grafana/provisioning").join(folder)).unwrap();
        let names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.len(), files, "{names:?}");
        assert!(
            names
                .iter()
                .all(|name| Path::new(name).extension().is_some_and(|e| e == "yml")),
            "{names:?}"
        );
    }
}
