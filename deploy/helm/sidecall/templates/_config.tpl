{{/* The text of sidecall.yaml: `config`, and what this chart writes itself. */}}
{{- define "sidecall.config" -}}
{{- include "sidecall.check" . -}}
{{- $admin := printf "0.0.0.0:%d" (int64 .Values.adminPort) -}}
{{- $own := dict
      "listen" (dict
        "unix" (dict "path" "/run/sidecall/sidecall.sock" "mode" "0660")
        "admin" (.Values.metrics | ternary $admin (dict "address" $admin "metrics" "off")))
      "drain" (dict "timeout" .Values.drainTimeout) -}}
{{- with .Values.otlp.endpoint -}}
  {{- $_ := set $own "telemetry" (dict "otlp" (dict "endpoint" .)) -}}
{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy (.Values.config | default dict)) $own) -}}
{{- end }}
