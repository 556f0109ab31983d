{{/* `<release>-<what>`; a CronJob's name may have 52 characters. Takes a list: root, what. */}}
{{- define "ctiforge.name" -}}
{{- $release := (index . 0).Release.Name -}}
{{- if gt (len $release) 36 -}}
{{- fail (printf "release name %s has %d characters: with the longest name of a stage only 36 fit; choose a shorter one" $release (len $release)) -}}
{{- end -}}
{{- printf "%s-%s" $release (index . 1) -}}
{{- end -}}

{{/* What selects pods of this release. Takes the root. */}}
{{- define "ctiforge.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. Takes a list: root, component. */}}
{{- define "ctiforge.labels" -}}
{{- $root := index . 0 -}}
{{ include "ctiforge.selector" $root }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
{{- end -}}

{{/* What the launcher reads of a CronJob before it makes a Job of it. Takes the root. */}}
{{- define "ctiforge.annotations" -}}
ctiforge.io/chart-version: {{ .Chart.Version | quote }}
ctiforge.io/store: {{ include "ctiforge.store" . | quote }}
ctiforge.io/store-endpoint: {{ .Values.store.publicEndpoint | default .Values.store.endpoint | quote }}
ctiforge.io/node-lost-timeout: {{ .Values.launcher.nodeLostTimeout | int | quote }}
ctiforge.io/pending-timeout: {{ .Values.launcher.pendingTimeout | int | quote }}
ctiforge.io/run-timeout: {{ .Values.launcher.runTimeout | int | quote }}
{{- end -}}

{{- define "ctiforge.store" -}}
{{ required "store.uri is required: where artifacts and runs lie, s3://bucket/prefix" .Values.store.uri }}
{{- end -}}

{{/* The programs: the image of each, and what it reads besides the store. */}}
{{- define "ctiforge.programs" -}}
harvest_extract: {image: cpu, database: true, hub: false, labeler: false}
format_extract: {image: cpu, database: false, hub: true, labeler: false}
check_data: {image: cpu, database: false, hub: true, labeler: false}
train_extract: {image: train, database: false, hub: true, labeler: false}
eval_extract: {image: train, database: false, hub: true, labeler: true}
prepare_os: {image: cpu, database: true, hub: false, labeler: true}
train_os_bert: {image: train, database: false, hub: true, labeler: false}
baselines_os: {image: train, database: false, hub: true, labeler: false}
eval_os_bert: {image: train, database: false, hub: true, labeler: false}
compare: {image: cpu, database: false, hub: false, labeler: false}
promote: {image: cpu, database: false, hub: false, labeler: false}
export_model: {image: train, database: false, hub: true, labeler: false}
{{- end -}}
