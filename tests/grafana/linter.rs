//! The rules of Grafana's dashboard-linter, and of mixtool, which runs it, in our own words.
//!
//! The linter is not run: it is a Go program. Each test is called after the rule it stands for.
//! What the linter would complain about all the same, and why that stays:
//!
//! * `target-instance-rule`, in queries about accounts: a root access key belongs to an account,
//!   whichever replica or shard saw it. A choice of one instance must not hide another's page.
//!   These queries are aggregated by account instead, and match `$account`; the rule holds for
//!   every query about the exporter itself.
//! * `target-counter-agg-rule` and `panel-units-rule` hold as they are; there is no other exception.

use crate::catalogue::family;
use crate::dashboard::{Dashboard, DataSource};
use crate::promql::{self, RATE_INTERVAL};

/// The units that are used here, out of the many that Grafana knows.
const UNITS: [&str; 6] = ["bytes", "dateTimeFromNow", "none", "reqps", "s", "string"];

fn is_templated(datasource: Option<&DataSource>) -> bool {
    datasource.is_some_and(|d| d.kind == "prometheus" && d.uid == "${datasource}")
}

#[test]
fn mixtool_wants_a_title_and_a_uid() {
    let dashboard = Dashboard::read();
    assert!(!dashboard.title.is_empty() && !dashboard.uid.is_empty());
    assert!(!dashboard.description.is_empty());
}

#[test]
fn template_datasource_rule() {
    let dashboard = Dashboard::read();
    let sources: Vec<_> = dashboard
        .templating
        .list
        .iter()
        .filter(|variable| variable.kind == "datasource")
        .map(|v| (&v.name[..], &v.label[..], v.query.as_str()))
        .collect();
    assert_eq!(sources, [("datasource", "Data source", Some("prometheus"))]);
}

#[test]
fn template_job_rule_and_template_instance_rule() {
    let dashboard = Dashboard::read();
    for (name, label) in [
        ("job", "Job"),
        ("account", "Account"),
        ("instance", "Instance"),
    ] {
        let variable = dashboard.variable(name);
        assert_eq!((&variable.kind[..], &variable.label[..]), ("query", label));
        assert!(is_templated(variable.datasource.as_ref()), "{name}");
        assert!(variable.multi && variable.include_all, "{name}");
        // The linter's word for "all": a label that is there, whatever its value.
        assert_eq!(variable.all_value.as_deref(), Some(".+"), "{name}");
    }
}

#[test]
fn template_label_promql_rule() {
    let dashboard = Dashboard::read();
    for variable in dashboard
        .templating
        .list
        .iter()
        .filter(|v| v.kind == "query")
    {
        let query = variable.asks();
        let (function, argument) = query
            .strip_suffix(')')
            .and_then(|query| query.split_once('('))
            .unwrap_or_else(|| panic!("{query} is not a function"));
        let expression = match function {
            "query_result" => argument,
            // The last argument of this one is the label that is asked for.
            "label_values" => argument.rsplit_once(',').expect("a series and a label").0,
            _ => panic!("the Prometheus data source has no {function}"),
        };
        for used in promql::uses(expression).unwrap() {
            assert!(family(used.name()).is_some(), "{query}");
        }
    }
}

#[test]
fn template_on_time_change_reload_rule() {
    let dashboard = Dashboard::read();
    for variable in dashboard
        .templating
        .list
        .iter()
        .filter(|v| v.kind == "query")
    {
        assert_eq!(variable.refresh, Some(2), "{}", variable.name);
    }
}

#[test]
fn uneditable_dashboard_rule() {
    // The file is the source; who wants another one saves a copy.
    assert!(!Dashboard::read().editable);
}

#[test]
fn panel_datasource_rule() {
    let dashboard = Dashboard::read();
    for panel in dashboard.drawn() {
        assert!(is_templated(panel.datasource.as_ref()), "{}", panel.title);
        for target in &panel.targets {
            assert!(is_templated(Some(&target.datasource)), "{}", panel.title);
        }
    }
}

#[test]
fn panel_title_description_rule_and_panel_no_targets_rule() {
    let dashboard = Dashboard::read();
    assert!(dashboard.drawn().count() > 20);
    for panel in dashboard.drawn() {
        assert!(!panel.title.is_empty(), "panel {} has no title", panel.id);
        assert!(
            panel.description.ends_with('.'),
            "{} has no sentence to it",
            panel.title
        );
        assert!(!panel.targets.is_empty(), "{} asks nothing", panel.title);
    }
}

#[test]
fn panel_units_rule() {
    let dashboard = Dashboard::read();
    for panel in dashboard.drawn() {
        let unit = panel.field_config["defaults"]["unit"].as_str();
        assert!(
            unit.is_some_and(|unit| UNITS.contains(&unit)),
            "{}: {unit:?}",
            panel.title
        );
        let overrides = panel.field_config["overrides"].as_array().unwrap();
        let properties = overrides
            .iter()
            .flat_map(|o| o["properties"].as_array().unwrap());
        for unit in properties.filter(|property| property["id"] == "unit") {
            let unit = unit["value"].as_str();
            assert!(
                unit.is_some_and(|unit| UNITS.contains(&unit)),
                "{}: {unit:?}",
                panel.title
            );
        }
    }
}

#[test]
fn target_promql_rule() {
    let dashboard = Dashboard::read();
    for (panel, target) in dashboard.targets() {
        if let Err(error) = promql::uses(&target.expr) {
            panic!(
                "{} {}: {error}\n{}",
                panel.title, target.ref_id, target.expr
            );
        }
    }
}

#[test]
fn target_rate_interval_rule() {
    let dashboard = Dashboard::read();
    let mut rates = 0;
    for (panel, target) in dashboard.targets() {
        for used in promql::uses(&target.expr).unwrap() {
            let is_rate = matches!(used.functions.last(), Some(&("rate" | "irate")));
            assert!(
                !is_rate || used.range == Some(RATE_INTERVAL),
                "{}: {} over {:?}",
                panel.title,
                used.name(),
                used.range
            );
            rates += usize::from(is_rate);
        }
    }
    assert!(rates > 0);
}

#[test]
fn target_job_rule_and_target_instance_rule() {
    let dashboard = Dashboard::read();
    for (panel, target) in dashboard.targets() {
        for used in promql::uses(&target.expr).unwrap() {
            let of_an_account = family(used.name()).unwrap().labels.contains(&"account");
            let (label, value) = if of_an_account {
                ("account", "$account")
            } else {
                ("instance", "$instance")
            };
            assert!(
                used.has("job", "=~", "$job") && used.has(label, "=~", value),
                "{}: {} lacks a matcher of $job or {value}",
                panel.title,
                used.name()
            );
        }
    }
}

#[test]
fn target_counter_agg_rule() {
    let dashboard = Dashboard::read();
    for (panel, target) in dashboard.targets() {
        let uses = promql::uses(&target.expr).unwrap();
        // Not `aws_root_exporter_shard_total`: a plain number, whatever its name ends in.
        let counters = uses
            .iter()
            .filter(|used| family(used.name()).unwrap().kind.as_str() == "counter");
        for used in counters {
            assert!(
                matches!(
                    used.functions.last(),
                    Some(&("rate" | "irate" | "increase"))
                ),
                "{}: {} as it is",
                panel.title,
                used.name()
            );
        }
    }
}

#[test]
fn target_histogram_rule() {
    let dashboard = Dashboard::read();
    for (panel, target) in dashboard.targets() {
        for used in promql::uses(&target.expr).unwrap() {
            assert!(
                !used.name().ends_with("_bucket") || used.functions.contains(&"histogram_quantile"),
                "{}: {} as it is",
                panel.title,
                used.name()
            );
        }
    }
}

#[test]
fn target_legend_rule() {
    let dashboard = Dashboard::read();
    for (panel, target) in dashboard.targets() {
        let legend = &target.legend_format;
        assert!(
            !legend.is_empty() && legend != "__auto",
            "{} {}",
            panel.title,
            target.ref_id
        );
    }
}
