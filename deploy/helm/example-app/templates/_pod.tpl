{{/*
The agent's pod. What is Sidecall's stands between `with` and `end`: that, and the
dependency in Chart.yaml, is all that it takes.
*/}}
{{- define "example-app.pod" -}}
{{- with .Subcharts.sidecall }}
{{- if and (has $.Values.kind (list "Job" "CronJob")) (ne .Values.workload "job") }}
{{- fail (printf "example-app: the pod is of a %s: write `sidecall.workload: job`" $.Values.kind) }}
{{- end }}
{{- end -}}
metadata:
  labels:
    app.kubernetes.io/name: example-app
    app.kubernetes.io/instance: {{ .Release.Name | quote }}
    {{- with .Subcharts.sidecall }}
    {{- include "sidecall.podLabels" . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: agent
    {{- with .Subcharts.sidecall }}
    {{- include "sidecall.podAnnotations" . | nindent 4 }}
    {{- end }}
spec:
  {{- if has .Values.kind (list "Job" "CronJob") }}
  restartPolicy: OnFailure
  {{- end }}
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ int64 .Values.runAsUser }}
    seccompProfile:
      type: RuntimeDefault
    {{- with .Subcharts.sidecall }}
    {{- include "sidecall.podSecurityContext" . | nindent 4 }}
    {{- end }}
  {{- with .Subcharts.sidecall }}
  terminationGracePeriodSeconds: {{ include "sidecall.terminationGracePeriodSeconds" . }}
  {{- with include "sidecall.initContainers" . }}
  initContainers:
    {{- . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - name: agent
      image: {{ .Values.image | quote }}
      env:
        - name: MODEL_URL
          value: http://world:8350
        {{- with .Subcharts.sidecall }}
        {{- include "sidecall.appEnv" . | nindent 8 }}
        {{- end }}
      {{- if not (has .Values.kind (list "Job" "CronJob")) }}
      ports:
        - name: http
          containerPort: 8080
      readinessProbe:
        httpGet: {path: /healthz, port: http}
      livenessProbe:
        httpGet: {path: /healthz, port: http}
      {{- end }}
      resources:
        requests: {cpu: 100m, memory: 128Mi}
        limits: {memory: 256Mi}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - name: scratch
          mountPath: /tmp
        {{- with .Subcharts.sidecall }}
        {{- include "sidecall.appVolumeMounts" . | nindent 8 }}
        {{- end }}
    {{- with .Subcharts.sidecall }}
    {{- with include "sidecall.containers" . }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- end }}
  volumes:
    - name: scratch
      emptyDir: {}
    {{- with .Subcharts.sidecall }}
    {{- include "sidecall.volumes" . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "example-app.selector" -}}
matchLabels:
  app.kubernetes.io/name: example-app
  app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}
