{{/* What every name begins with: `fullnameOverride`, else the release's name. Takes the root. */}}
{{- define "ctiforge.fullname" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if gt (len $name) 36 -}}
{{- fail (printf "release name %s has %d characters: with the longest name of a stage only 36 fit; choose a shorter one, or set fullnameOverride" $name (len $name)) -}}
{{- end -}}
{{- if not (regexMatch "^[a-z][a-z0-9-]*$" $name) -}}
{{- fail (printf "release name %s: a Service's name begins with a letter and has no dot; choose another, or set fullnameOverride" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* `<fullname>-<what>`; a CronJob's name may have 52 characters. Takes a list: root, what. */}}
{{- define "ctiforge.name" -}}
{{- printf "%s-%s" (include "ctiforge.fullname" (index . 0)) (index . 1) -}}
{{- end -}}

{{/* What selects pods of this release: no label that Argo CD writes over with its application's name. Takes the root. */}}
{{- define "ctiforge.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
ctiforge.io/release: {{ include "ctiforge.fullname" . }}
{{- end -}}

{{/* Labels of every object: the common ones, and over them the chart's own. Takes a list: root, component. */}}
{{- define "ctiforge.labels" -}}
{{- mergeOverwrite (deepCopy (index . 0).Values.commonLabels) (include "ctiforge.ownLabels" . | fromYaml) | toYaml -}}
{{- end -}}

{{/* The chart's own labels. Takes a list: root, component. */}}
{{- define "ctiforge.ownLabels" -}}
{{- $root := index . 0 -}}
{{ include "ctiforge.selector" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
{{- end -}}

{{/* `annotations:` of an object where it has any: the common ones, and over them its own. Takes a list: root, own. */}}
{{- define "ctiforge.annotations" -}}
{{- with mergeOverwrite (deepCopy (index . 0).Values.commonAnnotations) (index . 1) -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What the launcher reads of a CronJob before it makes a Job of it. Takes the root. */}}
{{- define "ctiforge.launcherNotes" -}}
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

{{/*
The service account of `stage`, `launcher` or `serve`: named, made, or for the server that of the stages.
Takes a list: root, which.
*/}}
{{- define "ctiforge.serviceAccount" -}}
{{- $root := index . 0 -}}
{{- $which := index . 1 -}}
{{- $account := index $root.Values.serviceAccounts $which -}}
{{- if $account.name -}}
{{ $account.name }}
{{- else if $account.create -}}
{{ include "ctiforge.name" (list $root $which) }}
{{- else if eq $which "serve" -}}
{{ include "ctiforge.serviceAccount" (list $root "stage") }}
{{- else -}}
{{- fail (printf "serviceAccounts.%s.create is false: name the account that is there, serviceAccounts.%s.name" $which $which) -}}
{{- end -}}
{{- end -}}

{{/*
The programs: the image of each, what it reads besides the store, and under which other names lines have it as a stage
(settings may name those, too).
*/}}
{{- define "ctiforge.programs" -}}
harvest_extract: {image: cpu, database: true, hub: false, labeler: false}
format_extract: {image: cpu, database: false, hub: true, labeler: false}
check_data: {image: cpu, database: false, hub: true, labeler: false}
train_extract: {image: train, database: false, hub: true, labeler: false, ranks: true}
eval_extract:
  {image: train, database: false, hub: true, labeler: true, shards: true,
   stages: [eval_base, eval_base_constrained, eval_base_examples, eval_teacher, eval_regex, eval_in_use, eval_as_served, eval_tuned]}
prepare_os: {image: cpu, database: true, hub: false, labeler: true}
train_os_bert: {image: train, database: false, hub: true, labeler: false, ranks: true}
baselines_os: {image: train, database: false, hub: true, labeler: false}
eval_os_bert: {image: train, database: false, hub: true, labeler: false, stages: [eval_os_in_use]}
compare: {image: cpu, database: false, hub: false, labeler: false, stages: [compare_extract, compare_os]}
promote: {image: cpu, database: false, hub: false, labeler: false, stages: [promote_extract, promote_os_bert]}
export_model: {image: train, database: false, hub: true, labeler: false}
{{- end -}}
