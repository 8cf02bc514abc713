{{/* The name of a part: <release>-<part>. */}}
{{- define "traceo.name" -}}
{{ printf "%s-%s" .root.Release.Name .part | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What selects the pods of a part; never changes, Deployments refuse that. */}}
{{- define "traceo.selector" -}}
app.kubernetes.io/name: traceo
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "traceo.labels" -}}
{{ include "traceo.selector" . }}
app.kubernetes.io/part-of: traceo
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* The image of one of our components. */}}
{{- define "traceo.image" -}}
{{ printf "%s%s:%s" .root.Values.images.prefix .component .root.Values.images.tag }}
{{- end }}

{{/* Pods start anew when the settings change. */}}
{{- define "traceo.checksums" -}}
checksum/settings: {{ include (print .Template.BasePath "/settings.yaml") . | sha256sum }}
checksum/airflow: {{ include (print .Template.BasePath "/airflow-config.yaml") . | sha256sum }}
{{- end }}

{{/* What every pod of ours has: the account, no API token unless asked for, the restricted security profile. */}}
{{- define "traceo.pod" -}}
serviceAccountName: {{ .account | default (include "traceo.name" (dict "root" .root "part" "platform")) }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 10001 }}
  runAsGroup: {{ .user | default 10001 }}
  fsGroup: {{ .user | default 10001 }}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Copies of a part go to different nodes and zones where there are such. */}}
{{- define "traceo.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "traceo.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "traceo.container" -}}
imagePullPolicy: {{ .Values.images.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Our settings, the credentials of the bucket, and a home that can be written to. */}}
{{- define "traceo.environment" -}}
envFrom:
  - configMapRef: {name: {{ include "traceo.name" (dict "root" . "part" "settings") }}}
  - secretRef: {name: {{ .Values.secrets.steps }}}
{{- end }}

{{- define "traceo.secret" -}}
- name: {{ .name }}
  valueFrom: {secretKeyRef: {name: {{ .secret | default .root.Values.secrets.platform }}, key: {{ .key | default .name }}}}
{{- end }}

{{/* What Airflow's own processes read; the pods of tasks get the configuration but none of the keys. */}}
{{- define "traceo.airflow.environment" -}}
{{ include "traceo.environment" . }}
  - configMapRef: {name: {{ include "traceo.name" (dict "root" . "part" "airflow") }}}
env:
  {{- range list "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" "AIRFLOW__CORE__FERNET_KEY" "AIRFLOW__API__SECRET_KEY" "AIRFLOW__API_AUTH__JWT_SECRET" }}
  {{- include "traceo.secret" (dict "root" $ "name" .) | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "traceo.airflow.waiting" -}}
initContainers:
  - name: wait-for-migration
    image: {{ include "traceo.image" (dict "root" . "component" "airflow") }}
    {{- include "traceo.container" . | nindent 4 }}
    command: [python, -m, airflow, db, check-migrations, --migration-wait-timeout, "600"]
    {{- include "traceo.airflow.environment" . | nindent 4 }}
    resources: {{- toYaml .Values.airflow.migrate.resources | nindent 6 }}
    volumeMounts: {{- include "traceo.airflow.mounts" . | nindent 6 }}
{{- end }}

{{- define "traceo.airflow.mounts" -}}
- {name: work, mountPath: /tmp}
- {name: airflow, mountPath: /var/lib/airflow}
- {name: pod-template, mountPath: /etc/traceo}
{{- end }}

{{- define "traceo.airflow.volumes" -}}
- {name: work, emptyDir: {}}
- {name: airflow, emptyDir: {}}
- {name: pod-template, configMap: {name: {{ include "traceo.name" (dict "root" . "part" "pod-template") }}}}
{{- end }}

{{/* Alive while the last heartbeat in the database is recent: these processes have no port. */}}
{{- define "traceo.airflow.heartbeat" -}}
startupProbe:
  exec: {command: [python, -m, airflow, jobs, check, --job-type, {{ . }}, --local]}
  periodSeconds: 30
  timeoutSeconds: 60
  failureThreshold: 10
livenessProbe:
  exec: {command: [python, -m, airflow, jobs, check, --job-type, {{ . }}, --local]}
  # A check costs some six seconds of CPU.
  periodSeconds: 120
  timeoutSeconds: 60
  failureThreshold: 3
{{- end }}

{{/* A server of ours, all but its container: Service, Deployment, and the volume for what libraries write. */}}
{{- define "traceo.server" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "traceo.name" . }}
  labels: {{- include "traceo.labels" . | nindent 4 }}
spec:
  selector: {{- include "traceo.selector" . | nindent 4 }}
  ports: [{name: http, port: {{ .port }}, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "traceo.name" . }}
  labels: {{- include "traceo.labels" . | nindent 4 }}
spec:
  {{- if not (.own.autoscaling | default dict).enabled }}
  replicas: {{ .own.replicas }}
  {{- end }}
  selector:
    matchLabels: {{- include "traceo.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "traceo.labels" . | nindent 8 }}
      annotations: {{- include "traceo.checksums" .root | nindent 8 }}
    spec:
      {{- include "traceo.pod" . | nindent 6 }}
      {{- include "traceo.spread" . | nindent 6 }}
{{- end }}

{{/* The labels that name a part's pods in a network policy; the pods of steps are Airflow's and know no release. */}}
{{- define "traceo.peer" -}}
{{- if eq .part "step" -}}
{app.kubernetes.io/name: traceo-step}
{{- else -}}
{app.kubernetes.io/instance: {{ .root.Release.Name }}, app.kubernetes.io/component: {{ .part }}}
{{- end -}}
{{- end }}
