{{/*
A pod that runs one program, under the restricted pod security standard.
Takes a dict: root, key (where its settings stand in the values), settings (over `defaults`), kind (of image: cpu or
train), args, serviceAccount, token (does it get one of Kubernetes?), hub (does it ask the Hub?), environment (its own); of a
training: ranks (true), subdomain (the Service of its pods, where it has several); of what reads articles: shards (true);
of a server, which is started again when it ends: server (further fields of its container, named so: ports, probes).
*/}}
{{- define "ctiforge.podSpec" -}}
{{- $values := .root.Values -}}
{{- $settings := .settings -}}
{{- $image := include "ctiforge.image" . -}}
{{- $cache := and .hub $values.modelCache.enabled -}}
{{- if and (gt (int $settings.nodes) 1) (not .ranks) -}}
{{- fail (printf "%s.nodes is %d: it runs in one pod; set it to 1 (trainings take several)" .key (int $settings.nodes)) -}}
{{- end -}}
{{- if and (gt (int $settings.shards) 1) (not .shards) -}}
{{- fail (printf "%s.shards is %d: its work is not shared among pods; set it to 1 (stages.eval_extract takes several)" .key (int $settings.shards)) -}}
{{- end -}}
restartPolicy: {{ ternary "Always" "Never" (hasKey . "server") }}
serviceAccountName: {{ include "ctiforge.serviceAccount" (list .root .serviceAccount) }}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
{{- with .subdomain }}
subdomain: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ $settings.terminationGracePeriodSeconds | int }}
securityContext:
  runAsNonRoot: true
  seccompProfile: {type: RuntimeDefault}
  {{- with $values.podSecurity.runAsUser }}
  runAsUser: {{ . | int }}
  {{- end }}
  {{- with $values.podSecurity.fsGroup }}
  fsGroup: {{ . | int }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
{{- with include "ctiforge.pullSecrets" . | fromJsonArray }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "schedulerName" "resourceClaims" "priorityClassName" "runtimeClassName" "initContainers" }}
{{- with index $settings $field }}
{{ $field }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- if and .subdomain (not $settings.topologySpreadConstraints) }}
{{ include "ctiforge.spread" . }}
{{- end }}
containers:
  - name: {{ ternary "server" "stage" (hasKey . "server") }}
    image: {{ $image | quote }}
    imagePullPolicy: {{ mergeOverwrite (dict) (index $values.images .kind) $settings.image | dig "pullPolicy" "IfNotPresent" }}
    args: {{ toJson .args }}
    {{- with .server }}
    {{- . | nindent 4 }}
    {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    resources: {{ include "ctiforge.resources" . }}
    {{- with concat (include "ctiforge.storeSecret" $values.store | fromJsonArray) $settings.envFrom }}
    envFrom: {{ toJson . }}
    {{- end }}
    env:
      {{- include "ctiforge.environment" (merge (dict "image" $image) .) | trim | nindent 6 }}
    volumeMounts:
      - {name: scratch, mountPath: /scratch}
      - {name: scratch, mountPath: /tmp, subPath: tmp}
      - {name: shm, mountPath: /dev/shm}
      {{- if $cache }}
      - {name: model-cache, mountPath: /model-cache}
      {{- end }}
      {{- if $values.caBundle.configMap }}
      - {name: ca-bundle, mountPath: /etc/ctiforge/ca, readOnly: true}
      {{- end }}
      {{- range $settings.extraVolumeMounts }}
      - {{ toJson . }}
      {{- end }}
volumes:
  - name: scratch
    {{- include "ctiforge.scratch" $settings | nindent 4 }}
  - name: shm
    emptyDir: {medium: Memory, sizeLimit: {{ include "ctiforge.sharedMemory" $settings }}}
  {{- if $cache }}
  - name: model-cache
    persistentVolumeClaim: {claimName: {{ include "ctiforge.modelCacheClaim" .root }}}
  {{- end }}
  {{- with $values.caBundle.configMap }}
  - name: ca-bundle
    configMap: {name: {{ . | quote }}, items: [{key: {{ $values.caBundle.key | quote }}, path: ca.crt}]}
  {{- end }}
  {{- range $settings.extraVolumes }}
  - {{ toJson . }}
  {{- end }}
{{- end -}}

{{/* Scratch on the node's disk, or on a claim that lives as long as the pod. Takes the settings. */}}
{{- define "ctiforge.scratch" -}}
{{- if .scratchClaim.enabled -}}
ephemeral:
  volumeClaimTemplate:
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .scratchClaim.storageClassName }}
      storageClassName: {{ . | quote }}
      {{- end }}
      resources: {requests: {storage: {{ .scratchSize }}}}
{{- else -}}
emptyDir: {sizeLimit: {{ .scratchSize }}}
{{- end -}}
{{- end -}}

{{/* Secrets for pulling images as a JSON array, each once: of all charts, and of the settings. */}}
{{- define "ctiforge.pullSecrets" -}}
{{- $names := list -}}
{{- range concat .root.Values.global.imagePullSecrets .settings.imagePullSecrets -}}
{{- $names = append $names (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- $names | uniq | toJson -}}
{{- end -}}

{{/* `repository:tag` or `repository@digest`. A stage's own tag or repository leaves the common digest out. */}}
{{- define "ctiforge.image" -}}
{{- $common := index .root.Values.images .kind -}}
{{- $own := .settings.image -}}
{{- $repository := include "ctiforge.repository" (list .root ($own.repository | default $common.repository)) -}}
{{- $digest := $own.digest -}}
{{- if not (or $own.repository $own.tag $own.digest) -}}{{- $digest = $common.digest -}}{{- end -}}
{{- if $digest -}}
{{ $repository }}@{{ $digest }}
{{- else -}}
{{ $repository }}:{{ $own.tag | default $common.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* A repository, in the registry of all charts where there is one. Takes a list: root, repository. */}}
{{- define "ctiforge.repository" -}}
{{- $parts := splitList "/" (index . 1) -}}
{{- with (index . 0).Values.global.imageRegistry -}}
{{- if and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) -}}{{- $parts = rest $parts -}}{{- end -}}
{{- $parts = prepend $parts (trimSuffix "/" .) -}}
{{- end -}}
{{- join "/" $parts -}}
{{- end -}}

{{/* Shared memory: `shmSize` for each GPU, whose processes hand each other data there. */}}
{{- define "ctiforge.sharedMemory" -}}
{{- if gt (int .gpu.count) 1 -}}
{{- $unit := regexFind "[A-Za-z]*$" .shmSize -}}
{{- printf "%d%s" (mul (trimSuffix $unit .shmSize | int) (int .gpu.count)) $unit -}}
{{- else -}}
{{- .shmSize -}}
{{- end -}}
{{- end -}}

{{/*
Requests and limits as JSON, with the GPU where one is asked for. With scratch on a claim the node's disk holds logs alone.
*/}}
{{- define "ctiforge.resources" -}}
{{- $gpu := .settings.gpu -}}
{{- if and (gt (int $gpu.count) 1) (not .ranks) -}}
{{- fail (printf "%s.gpu.count is %d: it uses one GPU; set it to 1, or to 0 for none (trainings use several)" .key (int $gpu.count)) -}}
{{- end -}}
{{- $resources := deepCopy .settings.resources -}}
{{- if $gpu.count -}}
{{- $resources = mergeOverwrite $resources (dict "limits" (dict $gpu.resourceName (int $gpu.count))) -}}
{{- end -}}
{{- if and .settings.scratchClaim.enabled (hasKey ($resources.requests | default dict) "ephemeral-storage") -}}
{{- $resources = mergeOverwrite $resources (dict "requests" (dict "ephemeral-storage" "1Gi")) -}}
{{- end -}}
{{- toJson $resources -}}
{{- end -}}

{{- define "ctiforge.modelCacheClaim" -}}
{{- .Values.modelCache.existingClaim | default (include "ctiforge.name" (list . "model-cache")) -}}
{{- end -}}
