{{/*
A CronJob; suspended it is a job template, which the launcher and `kubectl create job --from` make Jobs of.
Takes what ctiforge.podSpec takes and: pods (how many one Job has; none: one), name, component, labels (of Jobs and pods), queue (does a Job wait in Kueue's?),
schedule (fields of its spec; none: suspended).
*/}}
{{- define "ctiforge.cronJob" -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "ctiforge.name" (list .root .name) }}
  labels:
    {{- include "ctiforge.labels" (list .root .component) | nindent 4 }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- include "ctiforge.annotations" (list .root (include "ctiforge.launcherNotes" .root | fromYaml)) | nindent 2 }}
spec:
  {{- if .schedule }}
  {{- .schedule | nindent 2 }}
  {{- else }}
  suspend: true
  schedule: "0 0 31 2 *"
  {{- end }}
  jobTemplate:
    {{- include "ctiforge.jobTemplate" . | nindent 4 }}
{{- end -}}

{{- define "ctiforge.jobTemplate" -}}
{{- $settings := .settings -}}
metadata:
  {{- include "ctiforge.jobMetadata" . | nindent 2 }}
spec:
  {{- if gt (int .pods) 1 }}
  {{- include "ctiforge.indexed" .pods | nindent 2 }}
  # each may fail: all together, or each for itself
  backoffLimit: {{ mul $settings.retries .pods }}
  {{- else }}
  backoffLimit: {{ $settings.retries | int }}
  {{- end }}
  activeDeadlineSeconds: {{ $settings.activeDeadlineSeconds | int }}
  ttlSecondsAfterFinished: {{ $settings.ttlSecondsAfterFinished | int }}
  # a pod is replaced when it has ended, never while it may still write
  podReplacementPolicy: Failed
  podFailurePolicy:
    rules:
      - action: FailJob
        onExitCodes: {containerName: stage, operator: In, values: [2, 3, 4, 5]}
      - action: Ignore
        onExitCodes: {containerName: stage, operator: In, values: [75]}
      - action: Ignore
        onPodConditions: [{type: DisruptionTarget, status: "True"}]
  template:
    metadata:
      {{- include "ctiforge.podMetadata" . | nindent 6 }}
    spec:
      {{- include "ctiforge.podSpec" . | nindent 6 }}
{{- end -}}

{{/*
A Job belongs to nobody who could delete it: without the label that Argo CD finds its own objects by (pods keep it, their
owner is the Job), and where it is found by another one, neither out of sync nor pruned.
*/}}
{{- define "ctiforge.jobMetadata" -}}
{{- $metadata := include "ctiforge.podMetadata" . | fromYaml -}}
labels:
  {{- $labels := omit $metadata.labels "app.kubernetes.io/instance" }}
  {{- if .queue }}
  {{- $labels = merge (include "ctiforge.queueLabels" . | fromYaml) $labels }}
  {{- end }}
  {{- toYaml $labels | nindent 2 }}
annotations:
  {{- $own := dict "argocd.argoproj.io/compare-options" "IgnoreExtraneous" "argocd.argoproj.io/sync-options" "Prune=false" }}
  {{- if and .shards (gt (int .pods) 1) }}
  {{- /* the launcher lets each pod wait for its place, and Kueue lets in as many as there is room for */}}
  {{- $own = merge $own (dict "ctiforge.io/shards" (.pods | toString) "kueue.x-k8s.io/job-min-parallelism" "1") }}
  {{- end }}
  {{- mergeOverwrite ($metadata.annotations | default dict) $own | toYaml | nindent 2 }}
{{- end -}}

{{/*
Kueue's labels, which a Job has and its pods do not (it would queue them a second time): the stage's own, else the
queue of GPUs or the other one. What has no queue has no priority in it.
*/}}
{{- define "ctiforge.queueLabels" -}}
{{- $kueue := .root.Values.kueue -}}
{{- $usual := ternary $kueue.queueName $kueue.cpuQueueName (gt (int .settings.gpu.count) 0) -}}
{{- $queue := get .settings.labels "kueue.x-k8s.io/queue-name" | default $usual -}}
{{- $priority := get .settings.labels "kueue.x-k8s.io/priority-class" | default $kueue.priorityClass -}}
{{- with $queue }}
kueue.x-k8s.io/queue-name: {{ . | quote }}
{{- with $priority }}
kueue.x-k8s.io/priority-class: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The common labels and annotations, over them those of `settings`, over these the chart's own. */}}
{{- define "ctiforge.podMetadata" -}}
{{- $own := include "ctiforge.ownLabels" (list .root .component) | fromYaml -}}
labels:
  {{- $given := omit .settings.labels "kueue.x-k8s.io/queue-name" "kueue.x-k8s.io/priority-class" }}
  {{- mergeOverwrite (deepCopy .root.Values.commonLabels) $given $own (.labels | default dict) | toYaml | nindent 2 }}
{{ include "ctiforge.annotations" (list .root .settings.annotations) }}
{{- end -}}
