#!/usr/bin/env bash
# Generates the PrometheusRule objects of this folder from deploy/prometheus/*.rules.yml. Run it after a
# change there; a test compares them.
#   deploy/kubernetes/prometheus-rules.sh [FOLDER]   FOLDER: where to write, this one by default
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rules=$here/../prometheus
out=${1:-$here}

# make RULES NAME FILE
make() {
    mkdir -p "$(dirname "$out/$3")"
    {
        printf '# Made by deploy/kubernetes/prometheus-rules.sh from deploy/prometheus/%s: do not edit.\n' "$1"
        printf 'apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n'
        printf 'metadata:\n  name: %s\nspec:\n' "$2"
        sed -e '/^---$/d' -e 's/^\(.\)/  \1/' "$rules/$1"
    } >"$out/$3"
}

make aws-root-exporter.rules.yml aws-root-exporter base/prometheus-rule.yaml
make aws-iam-users.rules.yml aws-iam-users components/iam-users/prometheus-rule.yaml
