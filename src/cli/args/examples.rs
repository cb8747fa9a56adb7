//! Examples below the help of each command.

pub(super) const PROGRAM: &str = "\
Examples:
  aws-root-exporter demo                        a simulated AWS, on port 10057
  aws-root-exporter check                       check this account now
  aws-root-exporter --config.file config.toml   run the daemon
  aws-root-exporter COMMAND --help              help for a command";

pub(super) const DEMO: &str = "\
Examples:
  aws-root-exporter demo
  aws-root-exporter demo --accounts 300 --web.listen-address 127.0.0.1:9000";

pub(super) const CHECK: &str = "\
Examples:
  aws-root-exporter check
  aws-root-exporter check --config.file organization.toml --only-findings
  aws-root-exporter check --report reports/111122223333.csv --report reports/444455556666.csv
  aws iam get-credential-report | aws-root-exporter check --report - --max-age 4h
  aws-root-exporter check --fail-on active,unknown
  aws-root-exporter check --format ocsf --only-findings >> findings.jsonl
  aws-root-exporter check --format junit > root-users.xml
  aws-root-exporter check --format json | jq -r '.accounts[] | select(.root.access_keys_active != 0).account'";

pub(super) const POLICY: &str = "\
Examples:
  aws-root-exporter policy hub > hub.json
  aws iam put-role-policy --role-name exporter --policy-name read --policy-document file://hub.json
  aws-root-exporter policy audit-role --hub arn:aws:iam::111122223333:role/exporter
  aws-root-exporter policy stackset --organization o-a1b2c3d4e5 > member-role.json
  aws cloudformation create-stack-set --stack-set-name aws-root-exporter \\
    --template-body file://member-role.json --capabilities CAPABILITY_NAMED_IAM \\
    --permission-model SERVICE_MANAGED --auto-deployment Enabled=true,RetainStacksOnAccountRemoval=false";

pub(super) const REMEDIATE: &str = "\
Examples:
  aws-root-exporter remediate --account 111122223333
  aws-root-exporter remediate --account 111122223333 --unused-for 30d
  aws-root-exporter remediate --account 111122223333 --delete AKIAIOSFODNN7EXAMPLE --confirm 111122223333";

pub(super) const HEALTHCHECK: &str = "\
Examples:
  aws-root-exporter healthcheck --config.file config.toml
  aws-root-exporter healthcheck --url https://localhost:10057";

pub(super) const PRINT: &str = "\
Examples:
  aws-root-exporter print config > config.toml
  aws-root-exporter print rules > /etc/prometheus/rules/aws-root-exporter.rules.yml
  aws-root-exporter print rules --runbook-url https://wiki.example.com/runbooks
  aws-root-exporter print runbook AWSRootAccessKeyActive";

pub(super) const COMPLETIONS: &str = "\
Examples:
  aws-root-exporter completions bash > /usr/share/bash-completion/completions/aws-root-exporter
  aws-root-exporter completions zsh > \"${fpath[1]}/_aws-root-exporter\"
  aws-root-exporter completions fish > ~/.config/fish/completions/aws-root-exporter.fish";

pub(super) const MAN: &str = "\
Examples:
  aws-root-exporter man > /usr/local/share/man/man1/aws-root-exporter.1
  aws-root-exporter man check | man -l -";
