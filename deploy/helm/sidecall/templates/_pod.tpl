{{/*
What an app's pod takes from this chart. Each template is called with this chart's
own scope, which in a chart that depends on it is `.Subcharts.sidecall`:

    {{- include "sidecall.initContainers" .Subcharts.sidecall | nindent 8 }}

| template                                  | where                                     |
| sidecall.podLabels, …podAnnotations       | the pod's metadata                        |
| sidecall.initContainers                   | the pod's init containers, before others  |
| sidecall.containers                       | the pod's containers, after the app's     |
| sidecall.volumes                          | the pod's volumes                         |
| sidecall.podSecurityContext               | the pod's security context                |
| sidecall.terminationGracePeriodSeconds    | the pod, as its value                     |
| sidecall.appEnv, …appVolumeMounts         | each container that calls the sidecar     |

Of initContainers and containers the layout leaves one empty. deploy/helm/example-app
has all of them in their places.
*/}}

{{/* The name of everything that this chart installs. */}}
{{- define "sidecall.fullname" -}}
{{- /* The chart's name is its alias where it has one, so that a chart may have two. */ -}}
{{- .Values.fullnameOverride | default (printf "%s-%s" .Release.Name .Chart.Name) | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "sidecall.configMapName" -}}
{{- .Values.existingConfigMap | default (include "sidecall.fullname" .) -}}
{{- end }}

{{/* The labels of the chart's own objects. */}}
{{- define "sidecall.labels" -}}
app.kubernetes.io/name: sidecall
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* By this PodMonitor and NetworkPolicy know the pods. */}}
{{- define "sidecall.podLabels" -}}
sidecall.dev/sidecar: {{ include "sidecall.fullname" . | quote }}
{{- end }}

{{/* `sidecall inject` leaves the pod alone: it has its sidecar. */}}
{{- define "sidecall.podAnnotations" -}}
{{- include "sidecall.check" . -}}
sidecall.dev/inject: disabled
{{- if eq .Values.configChange "restart" }}
sidecall.dev/config-checksum: {{ include "sidecall.config" . | sha256sum }}
{{- end }}
{{- end }}

{{- define "sidecall.initContainers" -}}
{{- include "sidecall.check" . -}}
{{- if eq .Values.layout "native" }}{{ include "sidecall.container" . }}{{ end }}
{{- end }}

{{- define "sidecall.containers" -}}
{{- include "sidecall.check" . -}}
{{- if eq .Values.layout "classic" }}{{ include "sidecall.container" . }}{{ end }}
{{- end }}

{{- define "sidecall.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The sidecar itself, as the one element of a list. */}}
{{- define "sidecall.container" -}}
- name: sidecall
  image: {{ include "sidecall.image" . | quote }}
  {{- with .Values.image.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  {{- if eq .Values.layout "native" }}
  restartPolicy: Always
  {{- end }}
  args: [serve, --config, /etc/sidecall/sidecall.yaml]
  {{- with include "sidecall.env" . | trim }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  ports:
    - name: admin
      containerPort: {{ int64 .Values.adminPort }}
  startupProbe:
    {{- include "sidecall.probe" (list .Values.adminPort "" .Values.probes.startup) | nindent 4 }}
  readinessProbe:
    {{- include "sidecall.probe" (list .Values.adminPort "" .Values.probes.readiness) | nindent 4 }}
  livenessProbe:
    {{- include "sidecall.probe" (list .Values.adminPort "liveness" .Values.probes.liveness) | nindent 4 }}
  {{- with .Values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "sidecall.securityContext" . | nindent 4 }}
  volumeMounts:
    {{- include "sidecall.volumeMounts" . | nindent 4 }}
{{- end }}

{{- define "sidecall.securityContext" -}}
runAsNonRoot: true
runAsUser: {{ int64 .Values.runAsUser }}
runAsGroup: {{ int64 .Values.runAsGroup }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Of a port, a health service and the probe's values. */}}
{{- define "sidecall.probe" -}}
grpc:
  port: {{ int64 (index . 0) }}
  {{- with index . 1 }}
  service: {{ . }}
  {{- end }}
{{- with index . 2 }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
Where telemetry goes somewhere, whose it is: several pods send to one collector. What
`env` names goes before it, and each variable may use those that stand before it.
*/}}
{{- define "sidecall.env" -}}
{{- $named := dict -}}
{{- range .Values.env }}{{ $_ := set $named .name true }}{{ end -}}
{{- if .Values.otlp.endpoint -}}
{{- range $field, $name := dict "name" "POD_NAME" "namespace" "POD_NAMESPACE" "uid" "POD_UID" -}}
{{- if not (hasKey $named $name) -}}
- name: {{ $name }}
  valueFrom: {fieldRef: {fieldPath: metadata.{{ $field }}}}
{{ end -}}
{{- end -}}
{{- end -}}
{{- with .Values.env }}
{{- toYaml . }}
{{ end }}
{{- if and .Values.otlp.endpoint (not (hasKey $named "OTEL_RESOURCE_ATTRIBUTES")) -}}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: service.instance.id=$(POD_UID),k8s.pod.uid=$(POD_UID),k8s.pod.name=$(POD_NAME),k8s.namespace.name=$(POD_NAMESPACE)
{{- end }}
{{- end }}

{{- define "sidecall.volumeMounts" -}}
- name: sidecall-socket
  mountPath: /run/sidecall
- name: sidecall-config
  mountPath: /etc/sidecall
  readOnly: true
# Where a pod's token for Kubernetes' API would be: what is mounted already is not
# mounted over.
- name: sidecall-no-token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- range .Values.secrets }}
- name: sidecall-secret-{{ .name }}
  mountPath: /var/run/secrets/sidecall/{{ .name }}
  readOnly: true
{{- end }}
{{- end }}

{{/* The socket in memory, the configuration, the secrets. */}}
{{- define "sidecall.volumes" -}}
- name: sidecall-socket
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
- name: sidecall-no-token
  emptyDir:
    sizeLimit: 1Mi
{{ include "sidecall.filesVolumes" . }}
{{- end }}

{{- define "sidecall.filesVolumes" -}}
- name: sidecall-config
  configMap:
    name: {{ include "sidecall.configMapName" . | quote }}
{{- range .Values.secrets }}
- name: sidecall-secret-{{ .name }}
  secret:
    secretName: {{ .secretName | quote }}
    # By its group the sidecar reads it; others of the pod do not mount it.
    defaultMode: 0440
{{- end }}
{{- end }}

{{- define "sidecall.podSecurityContext" -}}
fsGroup: {{ int64 .Values.fsGroup }}
{{- end }}

{{- define "sidecall.terminationGracePeriodSeconds" -}}
{{- include "sidecall.check" . -}}
{{- int64 .Values.terminationGracePeriodSeconds -}}
{{- end }}

{{/* What the clients, and `sidecall` on the command line, look for. */}}
{{- define "sidecall.appEnv" -}}
- name: SIDECALL_ADDRESS
  value: unix:///run/sidecall/sidecall.sock
{{- end }}

{{- define "sidecall.appVolumeMounts" -}}
- name: sidecall-socket
  mountPath: /run/sidecall
{{- end }}
