{{/*
A CronJob; suspended it is a job template, which the launcher and `kubectl create job --from` make Jobs of.
Takes what ctiforge.podSpec takes and: name, component, labels (of Jobs and pods), queue (does a Job wait in Kueue's?),
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
  annotations:
    {{- include "ctiforge.annotations" .root | nindent 4 }}
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
  {{- include "ctiforge.podMetadata" . | nindent 2 }}
spec:
  backoffLimit: {{ $settings.retries | int }}
  activeDeadlineSeconds: 604800
  ttlSecondsAfterFinished: 604800
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
      {{- include "ctiforge.podMetadata" (omit . "queue") | nindent 6 }}
    spec:
      {{- include "ctiforge.podSpec" . | nindent 6 }}
{{- end -}}

{{- define "ctiforge.podMetadata" -}}
labels:
  {{- $own := include "ctiforge.labels" (list .root .component) | fromYaml | mergeOverwrite (deepCopy .settings.labels) (.labels | default dict) }}
  {{- if and .queue .root.Values.kueue.queueName }}
  {{- $own = mergeOverwrite $own (dict "kueue.x-k8s.io/queue-name" .root.Values.kueue.queueName) }}
  {{- end }}
  {{- toYaml $own | nindent 2 }}
{{- with .settings.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
