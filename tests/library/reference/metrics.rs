//! `docs/metrics.md`, written from the catalogue.

use aws_root_exporter::failure::Reason;
use aws_root_exporter::metrics::{Family, SECTIONS, Stability};
use root_posture::Source;

const INTRODUCTION: &str = "\
<!-- Generated from the catalogue in src/metrics. After a change there: UPDATE_DOCS=1 cargo test --test library reference -->

# Metrics

`/metrics` exposes these families, in OpenMetrics 1.0.0 or in the Prometheus text format 0.0.4, as the scraper asks.

- **The label `account` is the 12-digit id**, leading zeros kept. Names, partitions and tags stand in
  `aws_account_info` alone, so that a renamed account keeps its series. Join them in a query:
  `aws_root_access_keys_active * on (account) group_left (account_name) aws_account_info`.
- **A value that was never learned has no series**; it is never a 0. Where AWS answers `N/A`,
  `no_information` or `not_supported`, there is no series either.
- **A fine value expires, an alarming one does not.** When refreshes fail, the last known value stays. One that is fine (no key, no
  certificate, MFA on) is withdrawn once its evidence is older than `refresh.max_staleness`, or once no live source has answered for
  `refresh.max_live_staleness`. One that is not fine stays until newer evidence replaces it or the account leaves.
- **How old a value can be** depends on its source. AWS renews a credential report at most once in 4 hours; live sources are polled every
  `refresh.interval`. `aws_root_access_keys_observed_timestamp_seconds` is the time of the newest evidence behind the number of active keys.
- **Points in time are Unix timestamps**, never ages: `time() - aws_root_access_key_last_used_timestamp_seconds`.
- A family without a series is left out, its `# HELP` and `# TYPE` too.
- A *stable* name or meaning changes only with an entry in the changelog and a new major version, an *experimental* one with an entry.
";

/// The page about metrics, as `docs/metrics.md` must read.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for ((title, introduction), families) in introductions().iter().zip(SECTIONS) {
        page.extend(["\n## ", title, "\n\n", introduction, "\n\n"]);
        page.push_str("| family | type | unit | labels | stability | meaning |\n");
        page.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for family in families {
            row(&mut page, family);
        }
    }
    page
}

fn row(page: &mut String, family: &Family) {
    let stability = match family.stability {
        Stability::Stable => "stable",
        Stability::Experimental => "experimental",
    };
    let row = format!(
        "| `{}` | {} | {} | {} | {stability} | {} |\n",
        family.name,
        family.kind.as_str(),
        family.unit().as_ref().map_or("", |unit| unit.as_str()),
        listed(family.labels),
        family.help.replace('|', "\\|").replace('<', "\\<"),
    );
    page.push_str(&row);
}

/// The title and the introduction of each of [`SECTIONS`].
fn introductions() -> [(&'static str, String); SECTIONS.len()] {
    [
        (
            "Root user",
            "For each monitored account. Accounts in China (`aws-cn`) have no root credentials and none of these series. \
             `key` is the slot of the credential report, `1` or `2`."
                .to_owned(),
        ),
        (
            "Accounts, evidence and refreshes",
            format!(
                "`source` is one of {}; `reason` of a failed refresh one of {}.",
                listed(&Source::ALL.map(Source::as_str)),
                listed(&Reason::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>()),
            ),
        ),
        (
            "IAM users in numbers",
            "For each account with a credential report, when `users.aggregate` is on. `days` takes the values of `users.key_age_days` \
             and of `users.unused_days`."
                .to_owned(),
        ),
        (
            "IAM users by name",
            "Off unless `users.detail` is on. At most `users.max_detail_series` series; past that an account's detail is left out whole."
                .to_owned(),
        ),
        (
            "The exporter itself",
            "For each process. `outcome` of a call is `success` or the `reason` of a failed refresh."
                .to_owned(),
        ),
        (
            "The process",
            "Named as in other exporters. On Linux only.".to_owned(),
        ),
    ]
}

fn listed(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    quoted.join(", ")
}
