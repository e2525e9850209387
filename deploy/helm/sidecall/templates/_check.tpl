{{/*
What cannot be right, told with what to write instead. Every template of this chart
that makes something goes through it.
*/}}
{{- define "sidecall.check" -}}
{{- $values := .Values -}}
{{- range list "image" "layout" "workload" "configChange" "drainTimeout" "terminationGracePeriodSeconds"
      "adminPort" "metrics" "otlp" "runAsUser" "runAsGroup" "fsGroup" "probes" "podMonitor" "networkPolicy" -}}
  {{- if kindIs "invalid" (index $values .) -}}
    {{- fail (printf "sidecall: `%s` is null: leave it out for its default" .) -}}
  {{- end -}}
{{- end -}}
{{- if and (eq $values.layout "classic") (eq $values.workload "job") -}}
  {{- fail "sidecall: the classic layout in a Job would run for ever, since its sidecar does not end with the app: write `layout: native`, which needs Kubernetes 1.29" -}}
{{- end -}}
{{- if and (eq $values.layout "native") (semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version) -}}
  {{- fail (printf "sidecall: the native layout needs Kubernetes 1.29, and this is %s: write `layout: classic`" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- $drain := include "sidecall.drainMilliseconds" . | int64 -}}
{{- $grace := mul 1000 (int64 $values.terminationGracePeriodSeconds) -}}
{{- if le $grace (add $drain 1000) -}}
  {{- $enough := add 2 (div $drain 1000) -}}
  {{- fail (printf "sidecall: the pod is killed after %d s, before the sidecar has drained (%s and a second): write `terminationGracePeriodSeconds: %d` or more, or a shorter `drainTimeout`" (int64 $values.terminationGracePeriodSeconds) $values.drainTimeout $enough) -}}
{{- end -}}
{{- if $values.existingConfigMap -}}
  {{- if $values.config -}}
    {{- fail "sidecall: there is both `config` and `existingConfigMap`: write one of them" -}}
  {{- end -}}
  {{- if eq $values.configChange "restart" -}}
    {{- fail "sidecall: what changes in an `existingConfigMap` is not seen here: write `configChange: reload`, or the configuration as `config`" -}}
  {{- end -}}
  {{- if $values.otlp.endpoint -}}
    {{- fail "sidecall: an `existingConfigMap` says itself where telemetry goes: write telemetry.otlp.endpoint there, and no `otlp.endpoint`" -}}
  {{- end -}}
{{- end -}}
{{- if not $values.metrics -}}
  {{- if $values.existingConfigMap -}}
    {{- fail "sidecall: an `existingConfigMap` says itself what is answered at its admin port: write `metrics: off` in its listen.admin, and no `metrics: false`" -}}
  {{- end -}}
  {{- if $values.podMonitor.enabled -}}
    {{- fail "sidecall: a PodMonitor reads /metrics, which `metrics: false` takes away: write one of them" -}}
  {{- end -}}
{{- end -}}
{{- include "sidecall.checkConfig" . -}}
{{- $names := dict -}}
{{- range $values.secrets -}}
  {{- if hasKey $names .name -}}
    {{- fail (printf "sidecall: two of `secrets` are named %q: each is a folder, name them apart" .name) -}}
  {{- end -}}
  {{- $_ := set $names .name true -}}
{{- end -}}
{{- $names := dict -}}
{{- range $values.env -}}
  {{- if hasKey $names .name -}}
    {{- fail (printf "sidecall: two of `env` are named %q: write one of them" .name) -}}
  {{- end -}}
  {{- $_ := set $names .name true -}}
{{- end -}}
{{- end }}

{{/* The keys of the configuration that this chart writes itself. */}}
{{- define "sidecall.checkConfig" -}}
{{- $config := .Values.config | default dict -}}
{{- range list "listen" "drain" "telemetry" -}}
  {{- include "sidecall.checkMapping" (list (printf "config.%s" .) (get $config .)) -}}
{{- end -}}
{{- include "sidecall.checkMapping" (list "config.telemetry.otlp" (get ($config.telemetry | default dict) "otlp")) -}}
{{- range $place := list
      (dict "section" "listen" "key" "unix" "instead" "nothing: the socket is shared with the app's containers")
      (dict "section" "listen" "key" "admin" "instead" "`adminPort` and `metrics` beside `config`")
      (dict "section" "drain" "key" "timeout" "instead" "`drainTimeout` beside `config`") -}}
  {{- $section := index $config $place.section | default dict -}}
  {{- if hasKey $section $place.key -}}
    {{- fail (printf "sidecall: config.%s.%s is written by the chart: write %s" $place.section $place.key $place.instead) -}}
  {{- end -}}
{{- end -}}
{{- $otlp := (($config.telemetry | default dict).otlp | default dict) -}}
{{- if and .Values.otlp.endpoint (hasKey $otlp "endpoint") -}}
  {{- fail "sidecall: there is both `otlp.endpoint` and config.telemetry.otlp.endpoint: write one of them" -}}
{{- end -}}
{{- end }}

{{/* Of a place and what stands there: what this chart adds keys to, or looks into. */}}
{{- define "sidecall.checkMapping" -}}
{{- $there := index . 1 -}}
{{- if and $there (not (kindIs "map" $there)) -}}
  {{- fail (printf "sidecall: %s is %v, and has keys instead: docs/config.md has them" (index . 0) $there) -}}
{{- end -}}
{{- end }}

{{/* `drainTimeout` as a number of milliseconds. The schema knows its form. */}}
{{- define "sidecall.drainMilliseconds" -}}
{{- $unit := regexFind "[a-z]+$" .Values.drainTimeout -}}
{{- $count := trimSuffix $unit .Values.drainTimeout | int64 -}}
{{- mul $count (index (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit) -}}
{{- end }}
