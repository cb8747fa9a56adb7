// The alert rules and the dashboard as a monitoring mixin. It reads the shipped files, so nothing is
// written twice, and changes what _config says.
{
  _config+:: {
    // Replaces job="aws-root-exporter" in the rules about the exporter itself. It must select one job. The facts
    // about accounts have no selector: every Prometheus that loads the rules has one fleet of exporters.
    selector: 'job="aws-root-exporter"',
    // The folder of the runbooks, with a slash at the end.
    runbookURL: 'https://github.com/aws-root-exporter/aws-root-exporter/blob/main/deploy/runbooks/',
    // Whether the optional rules on IAM users are among the rules.
    iamUsers: false,
    // Severities other than the shipped ones, by alert: { AWSRootMFADisabled: 'warning' }.
    severities: {},
    // Labels of every alert.
    alertLabels: {},
    // Alerts that are left out. What they would read is still recorded.
    disabledAlerts: [],
    dashboardUID: 'aws-root-exporter',
    dashboardTitle: 'AWS root access keys',
    dashboardTags: ['aws', 'iam', 'security', 'aws-root-exporter'],
  },

  // All groups are here, none among prometheusRules: in each, alerts read what the rules before them
  // recorded in the same evaluation.
  prometheusAlerts+:: {
    groups+: std.flatMap(
      function(text) [
        group { rules: std.map(alert, std.filter(isWanted, group.rules)) }
        for group in std.parseYaml(configured(text)).groups
      ],
      [importstr '../prometheus/aws-root-exporter.rules.yml']
      + (if config.iamUsers then [importstr '../prometheus/aws-iam-users.rules.yml'] else [])
    ),
  },

  grafanaDashboards+:: {
    'aws-root-exporter.json': (import '../../grafana/aws-root-exporter.json') {
      uid: config.dashboardUID,
      title: config.dashboardTitle,
      tags: config.dashboardTags,
    },
  },

  local config = self._config,

  // Queries in annotations have single quotes.
  local configured(text) = std.foldl(
    function(text, change) std.strReplace(text, change[0], change[1]),
    [
      ['job="aws-root-exporter"', config.selector],
      ["job='aws-root-exporter'", std.strReplace(config.selector, '"', "'")],
      [
        'https://github.com/aws-root-exporter/aws-root-exporter/blob/main/deploy/runbooks/',
        config.runbookURL,
      ],
    ],
    text
  ),

  local isWanted(rule) = !std.member(config.disabledAlerts, std.get(rule, 'alert', '')),

  local alert(rule) =
    if !('alert' in rule) then rule else rule {
      labels+: config.alertLabels {
        severity: std.get(config.severities, rule.alert, rule.labels.severity),
      },
    },
}
