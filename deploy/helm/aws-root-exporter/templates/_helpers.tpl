{{/* The value of the label app.kubernetes.io/name. */}}
{{- define "aws-root-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The name of the objects. 52 characters at most: Kubernetes adds 11 to the name of a StatefulSet for a
label of its pods, which may have 63.
*/}}
{{- define "aws-root-exporter.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- $name = .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- $name = .Release.Name }}
{{- else }}
{{- $name = printf "%s-%s" .Release.Name $name }}
{{- end }}
{{- $name | replace "." "-" | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* The name of the service account, created or not. */}}
{{- define "aws-root-exporter.serviceAccountName" -}}
{{- $fallback := ternary (include "aws-root-exporter.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $fallback .Values.serviceAccount.name }}
{{- end }}

{{/* The labels that select the pods. They never change, because a StatefulSet's selector cannot. */}}
{{- define "aws-root-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "aws-root-exporter.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/*
The labels of an object: those of this chart, over those of the object's kind, over those of every object.
Takes the chart's context and the labels of the kind.
*/}}
{{- define "aws-root-exporter.labels" -}}
{{- $context := index . 0 }}
{{- $ours := include "aws-root-exporter.selectorLabels" $context | fromYaml }}
{{- $_ := set $ours "app.kubernetes.io/part-of" "aws-root-exporter" }}
{{- $_ := set $ours "app.kubernetes.io/version" $context.Chart.AppVersion }}
{{- $_ := set $ours "app.kubernetes.io/managed-by" $context.Release.Service }}
{{- $chart := printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" }}
{{- $_ := set $ours "helm.sh/chart" ($chart | trunc 63 | trimSuffix "-") }}
{{- merge $ours (index . 1) $context.Values.commonLabels | toYaml }}
{{- end }}

{{/* The image, by its digest where there is one. */}}
{{- define "aws-root-exporter.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* config.toml: the text itself, or the map as TOML, whose sections are tables. */}}
{{- define "aws-root-exporter.config" -}}
{{- if kindIs "string" .Values.config }}
{{- .Values.config }}
{{- else }}
{{- range $section, $settings := .Values.config }}
{{- if kindIs "map" $settings }}
[{{ $section }}]
{{- include "aws-root-exporter.settings" $settings }}
{{- else if and (kindIs "slice" $settings) (kindIs "map" (first $settings | default dict)) }}
{{- range $settings }}
[[{{ $section }}]]
{{- include "aws-root-exporter.settings" . }}
{{- end }}
{{- else }}
{{- fail (printf "config.%s must be a section of config.toml: a map, or a list of maps" $section) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The settings of a section. One that is null is left out, which is what null means in values. */}}
{{- define "aws-root-exporter.settings" }}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ $key }} = {{ include "aws-root-exporter.toml" $value }}
{{- end }}
{{- end }}
{{ end }}

{{/* A setting in config.toml, or nothing. Takes the chart's context, the section and the key. */}}
{{- define "aws-root-exporter.setting" -}}
{{- $config := include "aws-root-exporter.config" (index . 0) | fromToml }}
{{- with get $config (index . 1) }}
{{- if kindIs "map" . }}{{ get . (index $ 2) }}{{ end }}
{{- end }}
{{- end }}

{{/* A value in TOML. Its strings are those of JSON; Helm's own toToml writes 64 as 64.0. */}}
{{- define "aws-root-exporter.toml" -}}
{{- if kindIs "map" . -}}
{ {{- range $at, $key := keys . | sortAlpha }}{{ if $at }},{{ end }} {{ toRawJson $key }} = {{ include "aws-root-exporter.toml" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{ range $at, $item := . }}{{ if $at }}, {{ end }}{{ include "aws-root-exporter.toml" $item }}{{ end }}]
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{ int64 . }}
{{- else -}}
{{ toRawJson . }}
{{- end }}
{{- end }}

{{/*
Rules for Prometheus, as the spec of a PrometheusRule: the file, with the runbooks' address of the values.
Takes the chart's context and the name of the file.
*/}}
{{- define "aws-root-exporter.rules" -}}
{{- $context := index . 0 }}
{{- $rules := $context.Files.Get (printf "files/%s.rules.yml" (index . 1)) }}
{{- with $context.Values.prometheusRule.runbookUrl }}
{{- $shipped := printf "%s/blob/main/deploy/runbooks/" $context.Chart.Home }}
{{- $rules = replace $shipped (printf "%s/" (trimSuffix "/" .)) $rules }}
{{- end }}
{{- $rules }}
{{- end }}
