{{/*
Names are fixed, not derived from the release: there is one WebServer in a cluster, so one release. A second one is refused
by Helm, which finds the cluster roles to belong to the first.
*/}}
{{- define "webgarden.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: webgarden
{{ include "webgarden.selector" . }}
{{- end }}

{{- define "webgarden.selector" -}}
app.kubernetes.io/name: webgarden-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Takes a list: the image's values, the chart. */}}
{{- define "webgarden.image" -}}
{{- $image := index . 0 -}}
{{- $chart := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default $chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Restricted Pod Security, for a container. */}}
{{- define "webgarden.restricted" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
{{- end }}

{{/* Restricted Pod Security, for a pod. */}}
{{- define "webgarden.unprivileged" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}
