//! The fields of the dashboard file that the tests use.

use std::fs;

use serde::Deserialize;
use serde_json::Value;
use test_support::repository;

/// The width of Grafana's grid.
pub const COLUMNS: u32 = 24;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    pub uid: String,
    pub schema_version: u32,
    pub panels: Vec<Panel>,
    pub templating: Templating,
}

#[derive(Debug, Deserialize)]
pub struct Templating {
    pub list: Vec<Variable>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    pub name: String,
    pub label: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub query: Value,
    pub datasource: Option<DataSource>,
    #[serde(default)]
    pub regex: String,
    #[serde(default)]
    pub multi: bool,
    #[serde(default)]
    pub include_all: bool,
    pub all_value: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct DataSource {
    #[serde(rename = "type")]
    pub kind: String,
    pub uid: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panel {
    pub id: u32,
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    #[serde(default)]
    pub description: String,
    pub grid_pos: Place,
    pub datasource: Option<DataSource>,
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    pub collapsed: bool,
    /// The panels of a collapsed row.
    #[serde(default)]
    pub panels: Vec<Panel>,
    #[serde(default)]
    pub field_config: Value,
    #[serde(default)]
    pub transformations: Vec<Value>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Place {
    pub x: u32,
    pub y: u32,
    pub w: u32,
    pub h: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    pub ref_id: String,
    pub expr: String,
    pub instant: bool,
    pub datasource: DataSource,
}

impl Dashboard {
    pub fn read() -> Self {
        serde_json::from_str(&text()).expect("the dashboard is valid JSON with the known fields")
    }

    /// Every panel but the rows, those of collapsed rows included.
    pub fn drawn(&self) -> impl Iterator<Item = &Panel> {
        self.panels
            .iter()
            .flat_map(|panel| std::iter::once(panel).chain(&panel.panels))
            .filter(|panel| panel.kind != "row")
    }

    /// Every query, with its panel.
    pub fn targets(&self) -> impl Iterator<Item = (&Panel, &Target)> {
        self.drawn()
            .flat_map(|panel| panel.targets.iter().map(move |target| (panel, target)))
    }

    pub fn panel(&self, title: &str) -> &Panel {
        let mut found = self.drawn().filter(|panel| panel.title == title);
        found
            .next()
            .unwrap_or_else(|| panic!("no panel has the title {title}"))
    }

    pub fn row(&self, title: &str) -> &Panel {
        let mut rows = self.panels.iter().filter(|panel| panel.kind == "row");
        rows.find(|row| row.title == title)
            .unwrap_or_else(|| panic!("no row has the title {title}"))
    }

    pub fn variable(&self, name: &str) -> &Variable {
        let mut found = self.templating.list.iter().filter(|v| v.name == name);
        found
            .next()
            .unwrap_or_else(|| panic!("there is no variable {name}"))
    }
}

impl Variable {
    /// The text of the query.
    pub fn expression(&self) -> &str {
        self.query["query"]
            .as_str()
            .unwrap_or_else(|| panic!("${} has no query", self.name))
    }
}

impl Panel {
    /// The text of the panel when it has no data.
    pub fn no_value(&self) -> &str {
        self.field_config["defaults"]["noValue"]
            .as_str()
            .unwrap_or_default()
    }
}

/// The text of the dashboard file.
pub fn text() -> String {
    fs::read_to_string(repository("grafana/aws-root-exporter.json"))
        .expect("the dashboard file exists")
}
