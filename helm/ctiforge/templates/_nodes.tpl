{{/*
A Job of several pods: those that train together, and the shards of what reads articles, each of which works for itself.
Pods that train together: as many pods of an Indexed Job as there are nodes, which meet at the first of them. A pod
knows its number (JOB_COMPLETION_INDEX), and the first is found by its Job's name, which whoever makes the Job chooses.
*/}}

{{/* Where the pods meet, as arguments of the program, a JSON array. Takes a list: root, program, settings. */}}
{{- define "ctiforge.meeting" -}}
{{- $service := include "ctiforge.name" (list (index . 0) (index . 1 | replace "_" "-")) -}}
{{- $first := printf "--first-node=$(JOB_NAME)-0.%s:29400" $service -}}
{{- list (printf "--nodes=%d" (int (index . 2).nodes)) $first | toJson -}}
{{- end -}}

{{/* The names of the pod and of its Job as variables; the pod's host name is that of all pods with its number. */}}
{{- define "ctiforge.podNames" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: JOB_NAME
  valueFrom: {fieldRef: {fieldPath: "metadata.labels['batch.kubernetes.io/job-name']"}}
{{- end -}}

{{/* The Service that gives each pod of the stage a name, before it is ready. Takes a list: root, program. */}}
{{- define "ctiforge.nodesService" -}}
{{- $root := index . 0 -}}
{{- $stage := index . 1 | replace "_" "-" -}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "ctiforge.name" (list $root $stage) }}
  labels:
    {{- include "ctiforge.labels" (list $root "stage") | nindent 4 }}
    ctiforge.io/stage: {{ $stage }}
  {{- include "ctiforge.annotations" (list $root (include "ctiforge.kept" $root | fromYaml)) | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "ctiforge.selector" $root | nindent 4 }}
    ctiforge.io/stage: {{ $stage }}
{{- end -}}

{{/* What a training under way needs outlives the values that made it, and the release: neither Helm nor Argo CD removes it. */}}
{{- define "ctiforge.kept" -}}
helm.sh/resource-policy: keep
argocd.argoproj.io/sync-options: Prune=false
{{- end -}}

{{/* The fields of a Job of several pods, each of which is made again until it ends well. Takes how many. */}}
{{- define "ctiforge.indexed" -}}
completionMode: Indexed
completions: {{ . | int }}
parallelism: {{ . | int }}
{{- end -}}

{{/* Pods of a Job are spread over nodes where the values say nothing else of them. Takes what ctiforge.podSpec takes. */}}
{{- define "ctiforge.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ctiforge.selector" .root | nindent 8 }}
    matchLabelKeys: [batch.kubernetes.io/job-name]
{{- end -}}
