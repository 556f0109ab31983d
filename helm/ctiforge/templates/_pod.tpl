{{/*
A pod that runs one program, under the restricted pod security standard.
Takes a dict: root, key (where its settings stand in the values), settings (over `defaults`), kind (of image: cpu or
train), args, serviceAccount, token (does it get one of Kubernetes?), hub (does it ask the Hub?), environment (its own);
of a server, which is started again when it ends: server (further fields of its container, named so: ports, probes).
*/}}
{{- define "ctiforge.podSpec" -}}
{{- $values := .root.Values -}}
{{- $settings := .settings -}}
{{- $image := include "ctiforge.image" . -}}
{{- $cache := and .hub $values.modelCache.enabled -}}
restartPolicy: {{ ternary "Always" "Never" (hasKey . "server") }}
serviceAccountName: {{ include "ctiforge.name" (list .root .serviceAccount) }}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
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
{{- range $field := list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "priorityClassName" "runtimeClassName" }}
{{- with index $settings $field }}
{{ $field }}: {{ toJson . }}
{{- end }}
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
    {{- with $values.store.existingSecret }}
    envFrom:
      - secretRef: {name: {{ . | quote }}}
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
    emptyDir: {sizeLimit: {{ $settings.scratchSize }}}
  - name: shm
    emptyDir: {medium: Memory, sizeLimit: {{ $settings.shmSize }}}
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

{{/* `repository:tag` or `repository@digest`. A stage's own tag or repository leaves the common digest out. */}}
{{- define "ctiforge.image" -}}
{{- $common := index .root.Values.images .kind -}}
{{- $own := .settings.image -}}
{{- $repository := $own.repository | default $common.repository -}}
{{- $digest := $own.digest -}}
{{- if not (or $own.repository $own.tag $own.digest) -}}{{- $digest = $common.digest -}}{{- end -}}
{{- if $digest -}}
{{ $repository }}@{{ $digest }}
{{- else -}}
{{ $repository }}:{{ $own.tag | default $common.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Requests and limits as JSON, with the GPU where one is asked for. */}}
{{- define "ctiforge.resources" -}}
{{- $gpu := .settings.gpu -}}
{{- if gt (int $gpu.count) 1 -}}
{{- fail (printf "%s.gpu.count is %d: one process uses one GPU; set it to 1, or to 0 for none" .key (int $gpu.count)) -}}
{{- end -}}
{{- $resources := deepCopy .settings.resources -}}
{{- if $gpu.count -}}
{{- $resources = mergeOverwrite $resources (dict "limits" (dict $gpu.resourceName (int $gpu.count))) -}}
{{- end -}}
{{- toJson $resources -}}
{{- end -}}

{{- define "ctiforge.modelCacheClaim" -}}
{{- .Values.modelCache.existingClaim | default (include "ctiforge.name" (list . "model-cache")) -}}
{{- end -}}
