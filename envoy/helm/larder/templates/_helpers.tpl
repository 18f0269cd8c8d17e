{{- define "larder.labels" -}}
app.kubernetes.io/name: larder-admin
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "larder.selector" -}}
app.kubernetes.io/name: larder-admin
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "larder.secret" -}}
{{ .Values.secret.existing | default "larder-admin" }}
{{- end }}
