//! The structure of the file: import, order of sections, colours, links, tables, grid.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use crate::dashboard::{COLUMNS, Dashboard, Panel, text};

#[test]
fn the_file_has_a_fixed_uid_and_no_id() {
    let raw: Value = serde_json::from_str(&text()).unwrap();
    let dashboard = Dashboard::read();

    assert_eq!(dashboard.uid, "aws-root-exporter");
    assert!(
        raw.get("id").is_none(),
        "an id is valid in one Grafana only"
    );
    assert!(dashboard.schema_version >= 39, "Grafana 11 or later");
    // Fields of an export "for sharing externally" would make provisioning require inputs.
    for leftover in ["__inputs", "__requires", "__elements"] {
        assert!(raw.get(leftover).is_none(), "{leftover}");
    }
}

#[test]
fn sections_are_ordered_by_urgency() {
    let dashboard = Dashboard::read();
    let rows: Vec<_> = dashboard
        .panels
        .iter()
        .filter(|p| p.kind == "row")
        .collect();

    let sections: Vec<_> = rows
        .iter()
        .map(|row| (&row.title[..], row.collapsed))
        .collect();
    assert_eq!(
        sections,
        [
            ("Now", false),
            ("Accounts that need action", false),
            ("Over time", false),
            ("Evidence", false),
            ("Push", true),
            ("IAM users", true),
            ("The exporter itself", true),
        ]
    );
    let at_the_top: Vec<_> = dashboard.panels[1..5]
        .iter()
        .map(|p| &p.title[..])
        .collect();
    assert_eq!(
        at_the_top,
        [
            "Accounts with an active root access key",
            "Accounts without root MFA",
            "Accounts unknown",
            "Oldest evidence",
        ]
    );
    let kinds: Vec<_> = [
        "Accounts that need action",
        "Root access keys of each account",
    ]
    .map(|title| &dashboard.panel(title).kind[..])
    .into();
    assert_eq!(kinds, ["table", "state-timeline"]);
}

#[test]
fn one_active_key_is_red() {
    let dashboard = Dashboard::read();
    for title in [
        "Accounts with an active root access key",
        "Accounts without root MFA",
        "Accounts unknown",
    ] {
        let thresholds = &dashboard.panel(title).field_config["defaults"]["thresholds"];
        let steps = thresholds["steps"].as_array().unwrap();
        assert_eq!(steps[0]["color"], "green", "{title}");
        assert_eq!(
            (&steps[1]["color"], &steps[1]["value"]),
            (&"red".into(), &1.into()),
            "{title}"
        );
    }
}

#[test]
fn an_unknown_value_is_never_green() {
    let dashboard = Dashboard::read();
    let stats = dashboard.drawn().filter(|panel| panel.kind == "stat");
    for panel in stats {
        let mapping = &panel.field_config["defaults"]["mappings"][0];
        assert_eq!(mapping["options"]["match"], "null+nan", "{}", panel.title);
        let shown = &mapping["options"]["result"];
        assert_eq!(shown["text"], panel.no_value(), "{}", panel.title);
        assert_eq!(shown["color"], "purple", "{}", panel.title);
    }
}

#[test]
fn each_panel_explains_what_no_data_means() {
    for panel in Dashboard::read().drawn() {
        assert!(
            !panel.no_value().is_empty(),
            "{} has no text for no data",
            panel.title
        );
        let explanations = ["Without data", "Empty is good news"];
        assert!(
            explanations
                .iter()
                .any(|words| panel.description.contains(words)),
            "the description of {} does not say what no data means",
            panel.title
        );
    }
}

#[test]
fn ids_are_unique_and_so_are_titles_and_queries_of_a_panel() {
    let dashboard = Dashboard::read();
    let mut ids = BTreeSet::new();
    for panel in dashboard
        .panels
        .iter()
        .flat_map(|p| std::iter::once(p).chain(&p.panels))
    {
        assert!(
            ids.insert(panel.id),
            "two panels have the id {}, one is {}",
            panel.id,
            panel.title
        );
    }
    let mut titles = BTreeSet::new();
    for panel in dashboard.drawn() {
        assert!(
            titles.insert(&panel.title),
            "two panels have the title {}",
            panel.title
        );
        let refs: BTreeSet<_> = panel.targets.iter().map(|target| &target.ref_id).collect();
        assert_eq!(refs.len(), panel.targets.len(), "{}", panel.title);
    }
}

#[test]
fn panels_are_within_the_grid_and_do_not_overlap() {
    let dashboard = Dashboard::read();
    assert_tiled(&dashboard.panels, "the dashboard");
    for row in dashboard.panels.iter().filter(|panel| panel.kind == "row") {
        // Grafana stores the panels of a collapsed row in it, those of an open row next to it.
        assert_eq!(row.collapsed, !row.panels.is_empty(), "{}", row.title);
        assert!(
            row.panels
                .iter()
                .all(|panel| panel.grid_pos.y > row.grid_pos.y),
            "{}",
            row.title
        );
        assert_tiled(&row.panels, &row.title);
    }
}

fn assert_tiled(panels: &[Panel], place: &str) {
    for (index, panel) in panels.iter().enumerate() {
        let here = panel.grid_pos;
        assert!(
            here.w > 0 && here.h > 0 && here.x + here.w <= COLUMNS,
            "{place}: {} leaves the grid: {here:?}",
            panel.title
        );
        for other in &panels[index + 1..] {
            let there = other.grid_pos;
            let apart = here.x + here.w <= there.x
                || there.x + there.w <= here.x
                || here.y + here.h <= there.y
                || there.y + there.h <= here.y;
            assert!(apart, "{place}: {} overlaps {}", panel.title, other.title);
        }
    }
}

#[test]
fn an_account_links_to_its_page_on_the_exporter() {
    let dashboard = Dashboard::read();
    let exporter = dashboard.variable("exporter");
    assert_eq!(
        (&exporter.kind[..], &exporter.query),
        ("textbox", &"http://localhost:10057".into())
    );

    let tables = dashboard.drawn().filter(|panel| panel.kind == "table");
    let with_accounts = tables.filter(|panel| {
        let organized = panel.transformations.iter().find(|t| t["id"] == "organize");
        organized.is_some_and(|t| t["options"]["renameByName"]["account"] == "Account id")
    });
    let mut checked = 0;
    for panel in with_accounts {
        for column in ["Account", "Account id"] {
            let overrides = panel.field_config["overrides"].as_array().unwrap();
            let properties = overrides
                .iter()
                .find(|o| o["matcher"]["options"] == column)
                .unwrap_or_else(|| panic!("{}: no override for {column}", panel.title));
            let link = &properties["properties"][0]["value"][0]["url"];
            let wanted = "${exporter:raw}/accounts/${__data.fields[\"Account id\"]}";
            assert_eq!(link, wanted, "{}: {column}", panel.title);
            checked += 1;
        }
    }
    assert_eq!(checked, 10, "five tables have accounts");
}

#[test]
fn an_account_id_is_formatted_as_text() {
    // Grafana formats numeric text by the field's unit: 999000000003 as "999 Bil", 000000000002 as "2".
    // So text is the default unit of a table, and each numeric column names its own.
    let dashboard = Dashboard::read();
    for panel in dashboard.drawn().filter(|panel| panel.kind == "table") {
        assert_eq!(
            panel.field_config["defaults"]["unit"], "string",
            "{}",
            panel.title
        );
        let organize = panel.transformations.last().unwrap();
        let renamed = organize["options"]["renameByName"].as_object().unwrap();
        let overrides = panel.field_config["overrides"].as_array().unwrap();
        for (field, column) in renamed {
            let of_column = overrides
                .iter()
                .filter(|o| o["matcher"]["options"] == *column);
            let properties = of_column.flat_map(|o| o["properties"].as_array().unwrap());
            let has_unit = properties
                .into_iter()
                .any(|property| property["id"] == "unit");
            assert_eq!(
                has_unit,
                field.starts_with("Value"),
                "{}: {column}",
                panel.title
            );
        }
    }
}

#[test]
fn a_table_includes_and_names_the_value_of_each_query() {
    let dashboard = Dashboard::read();
    for panel in dashboard.drawn().filter(|panel| panel.kind == "table") {
        let find = |id: &str| {
            panel
                .transformations
                .iter()
                .find(|t| t["id"] == id)
                .unwrap()
        };
        let pattern = find("filterFieldsByName")["options"]["include"]["pattern"]
            .as_str()
            .unwrap();
        let included = Regex::new(pattern).unwrap();
        let organize = &find("organize")["options"];
        let names = organize["renameByName"].as_object().unwrap();
        for name in names.keys() {
            assert!(
                included.is_match(name),
                "{}: {name} is dropped",
                panel.title
            );
            let place = &organize["indexByName"][name];
            assert!(place.is_number(), "{}: {name} has no place", panel.title);
        }
        // The first query may be used for its labels only.
        let values = panel
            .targets
            .iter()
            .skip(1)
            .map(|t| format!("Value #{}", t.ref_id));
        for value in values {
            assert!(
                names.contains_key(&value),
                "{}: {value} has no name",
                panel.title
            );
        }
        assert!(!included.is_match("Time"), "{}", panel.title);
    }
}
