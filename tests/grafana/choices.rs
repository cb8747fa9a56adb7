//! The variables of the dashboard (data source, job, account, instance), and that every query uses them.
//!
//! These are rules of Grafana's dashboard-linter, a Go program that is not run. There is one exception:
//! queries about accounts match `$account` instead of `$instance`, because a root access key belongs to
//! an account, whichever replica or shard observed it.

use crate::catalogue::family;
use crate::dashboard::{Dashboard, DataSource};
use crate::promql::{self, RATE_INTERVAL};

fn is_templated(datasource: Option<&DataSource>) -> bool {
    datasource.is_some_and(|d| d.kind == "prometheus" && d.uid == "${datasource}")
}

#[test]
fn the_data_source_can_be_chosen() {
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
fn job_account_and_instance_can_be_chosen() {
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
        // "All" matches any value, but not an absent label.
        assert_eq!(variable.all_value.as_deref(), Some(".+"), "{name}");
    }
}

#[test]
fn every_panel_uses_the_chosen_data_source() {
    let dashboard = Dashboard::read();
    for panel in dashboard.drawn() {
        assert!(is_templated(panel.datasource.as_ref()), "{}", panel.title);
        for target in &panel.targets {
            assert!(is_templated(Some(&target.datasource)), "{}", panel.title);
        }
    }
}

#[test]
fn every_panel_has_a_title_a_description_and_a_query() {
    let dashboard = Dashboard::read();
    assert!(dashboard.drawn().count() > 20);
    for panel in dashboard.drawn() {
        assert!(!panel.title.is_empty(), "panel {} has no title", panel.id);
        assert!(
            panel.description.ends_with('.'),
            "{} has no description",
            panel.title
        );
        assert!(!panel.targets.is_empty(), "{} has no query", panel.title);
    }
}

#[test]
fn rates_are_over_the_rate_interval() {
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
fn every_query_uses_the_chosen_values() {
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
fn counters_are_shown_as_rates() {
    let dashboard = Dashboard::read();
    for (panel, target) in dashboard.targets() {
        let uses = promql::uses(&target.expr).unwrap();
        // By kind, not by name: `aws_root_exporter_shard_total` is a gauge.
        let counters = uses
            .iter()
            .filter(|used| family(used.name()).unwrap().kind.as_str() == "counter");
        for used in counters {
            assert!(
                matches!(
                    used.functions.last(),
                    Some(&("rate" | "irate" | "increase"))
                ),
                "{}: {} is not a rate",
                panel.title,
                used.name()
            );
        }
    }
}
