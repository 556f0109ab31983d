{{/* A container's environment, names in `extraEnv` once. Takes what ctiforge.podSpec takes and image (its reference). */}}
{{- define "ctiforge.environment" -}}
{{- $extra := .settings.extraEnv -}}
{{- $names := list -}}
{{- range $extra }}{{ $names = append $names .name }}{{ end -}}
{{- range concat (include "ctiforge.commonEnvironment" . | fromYamlArray) (fromYamlArray .environment) }}
{{- if not (has .name $names) }}
- {{ toJson . }}
{{- end }}
{{- end }}
{{- range $extra }}
- {{ toJson . }}
{{- end }}
{{- end -}}

{{/* A secret's key as a variable. Takes a list: variable, secret, key. */}}
{{- define "ctiforge.secretVariable" -}}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 | quote }}, key: {{ index . 2 | quote }}}}
{{- end -}}

{{/* Which settings a run in the cluster has, and whose it is. Takes the root. */}}
{{- define "ctiforge.launcherEnvironment" -}}
- {name: CTIFORGE_BACKEND, value: kubernetes}
- {name: CTIFORGE_RELEASE, value: {{ include "ctiforge.fullname" . | quote }}}
- {name: CTIFORGE_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: CTIFORGE_OUTPUTS, value: /scratch/outputs}
- {name: CTIFORGE_MODEL, value: {{ .Values.settings.model | quote }}}
- {name: CTIFORGE_TEST_SET, value: {{ .Values.settings.testSet | quote }}}
{{- with .Values.settings.inUse }}
- {name: CTIFORGE_IN_USE, value: {{ . | quote }}}
{{- end }}
{{- with .Values.settings.promptFile }}
- {name: CTIFORGE_PROMPT_FILE, value: {{ . | quote }}}
{{- end }}
{{- with .Values.settings.templateFile }}
- {name: CTIFORGE_TEMPLATE_FILE, value: {{ . | quote }}}
{{- end }}
{{- with .Values.settings.templateArgs }}
- {name: CTIFORGE_TEMPLATE_ARGS, value: {{ . | quote }}}
{{- end }}
{{- with .Values.settings.examples }}
- {name: CTIFORGE_EXAMPLES, value: {{ . | quote }}}
{{- end }}
{{- with .Values.settings.export }}
{{- if .format }}
- {name: CTIFORGE_EXPORT_FORMAT, value: {{ .format | quote }}}
- {name: CTIFORGE_EXPORT_TYPES, value: {{ .types | quote }}}
{{- end }}
{{- end }}
{{- with .Values.settings.teacher }}
{{- if .endpoint }}
- {name: CTIFORGE_TEACHER_ENDPOINT, value: {{ .endpoint | quote }}}
- {name: CTIFORGE_TEACHER_MODEL, value: {{ .model | quote }}}
{{- with .price }}
- {name: CTIFORGE_TEACHER_PRICE, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.settings.served }}
{{- if .endpoint }}
- {name: CTIFORGE_SERVED_ENDPOINT, value: {{ .endpoint | quote }}}
- {name: CTIFORGE_SERVED_MODEL, value: {{ .model | quote }}}
- {name: CTIFORGE_SERVED_PROMPT, value: {{ .prompt | quote }}}
- {name: CTIFORGE_SERVED_ASKED_AS, value: {{ .askedAs | quote }}}
{{- end }}
{{- end }}
- {name: CTIFORGE_OS_MODEL, value: {{ .Values.settings.osModel | quote }}}
- {name: CTIFORGE_OS_TEST_SET, value: {{ .Values.settings.osTestSet | quote }}}
{{- with .Values.settings.osInUse }}
- {name: CTIFORGE_OS_IN_USE, value: {{ . | quote }}}
{{- end }}
{{- with .Values.settings.maxLength }}
- {name: CTIFORGE_MAX_LENGTH, value: {{ . | int | quote }}}
{{- end }}
- {name: CTIFORGE_PROMOTE_AUTO, value: {{ .Values.promote.auto | quote }}}
{{- with .Values.promote.approval }}
- {name: CTIFORGE_PROMOTE_APPROVAL, value: {{ . | quote }}}
{{- end }}
- {name: CTIFORGE_STAGES, value: {{ .Values.settings.stages | toJson | quote }}}
{{- with .Values.webhook.existingSecret }}
{{ include "ctiforge.secretVariable" (list "CTIFORGE_WEBHOOK_URL" . $.Values.webhook.key) }}
- {name: CTIFORGE_WEBHOOK_RESULTS, value: {{ $.Values.webhook.results | toJson | quote }}}
{{- end }}
{{- with .Values.telemetry }}
{{- if .otlpEndpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .otlpEndpoint | quote }}}
{{- with .existingSecret }}
{{ include "ctiforge.secretVariable" (list "OTEL_EXPORTER_OTLP_HEADERS" . $.Values.telemetry.key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "ctiforge.commonEnvironment" -}}
{{- $values := .root.Values -}}
- {name: CTIFORGE_STORE, value: {{ include "ctiforge.store" .root | quote }}}
- {name: CTIFORGE_IMAGE, value: {{ .image | quote }}}
{{- if .settings.gpu.count }}
# a program that finds no GPU there says so, and does not compute on the CPU
- {name: CTIFORGE_GPU, value: required}
{{- end }}
{{- with $values.store.endpoint }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- include "ctiforge.storeKeys" $values.store }}
# boto3 reads the second, other clients the first
- {name: AWS_REGION, value: {{ $values.store.region | quote }}}
- {name: AWS_DEFAULT_REGION, value: {{ $values.store.region | quote }}}
- {name: HOME, value: /scratch/home}
- {name: TMPDIR, value: /scratch/tmp}
- {name: CTIFORGE_SCRATCH, value: /scratch/work}
# how much of it there is, which statfs does not know
- {name: CTIFORGE_SCRATCH_LIMIT, value: {{ .settings.scratchSize | quote }}}
- {name: HF_HOME, value: {{ include "ctiforge.hfHome" . }}}
- {name: TRITON_CACHE_DIR, value: /scratch/triton}
- {name: TORCHINDUCTOR_CACHE_DIR, value: /scratch/inductor}
- {name: MPLCONFIGDIR, value: /scratch/matplotlib}
{{- if .hub }}
{{ include "ctiforge.hubEnvironment" $values.hub }}
{{- end }}
{{- if $values.caBundle.configMap }}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" "AWS_CA_BUNDLE" "CURL_CA_BUNDLE" }}
- {name: {{ . }}, value: /etc/ctiforge/ca/ca.crt}
{{- end }}
{{- end }}
{{- if include "ctiforge.hasProxy" $values }}
{{ include "ctiforge.proxyEnvironment" $values.proxy }}
{{- end }}
{{- end -}}

{{/* The store's secret as `envFrom`, a JSON array: the whole of it where its keys are named as variables are. */}}
{{- define "ctiforge.storeSecret" -}}
{{- $whole := list -}}
{{- if and .existingSecret (not (include "ctiforge.renamesKeys" .)) -}}
{{- $whole = list (dict "secretRef" (dict "name" .existingSecret)) -}}
{{- end -}}
{{- toJson $whole -}}
{{- end -}}

{{/* The store's credentials by the names that their keys have in the secret. Takes `store`. */}}
{{- define "ctiforge.storeKeys" -}}
{{- if and .existingSecret (include "ctiforge.renamesKeys" .) }}
{{ include "ctiforge.secretVariable" (list "AWS_ACCESS_KEY_ID" .existingSecret (.secretKeys.accessKey | default "AWS_ACCESS_KEY_ID")) }}
{{ include "ctiforge.secretVariable" (list "AWS_SECRET_ACCESS_KEY" .existingSecret (.secretKeys.secretKey | default "AWS_SECRET_ACCESS_KEY")) }}
{{- with .secretKeys.sessionToken }}
{{ include "ctiforge.secretVariable" (list "AWS_SESSION_TOKEN" $.existingSecret .) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* "true" where a key of the store's secret has a name of its own, else nothing. */}}
{{- define "ctiforge.renamesKeys" -}}
{{- with .secretKeys }}{{ if or .accessKey .secretKey .sessionToken }}true{{ end }}{{ end -}}
{{- end -}}

{{- define "ctiforge.hfHome" -}}
{{ if and .hub .root.Values.modelCache.enabled }}/model-cache{{ else }}/scratch{{ end }}/huggingface
{{- end -}}

{{- define "ctiforge.hubEnvironment" -}}
{{- if .offline }}
- {name: HF_HUB_OFFLINE, value: "1"}
{{- end }}
{{- with .endpoint }}
- {name: HF_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with .existingSecret }}
{{ include "ctiforge.secretVariable" (list "HF_TOKEN" . $.key) }}
{{- end }}
{{- end -}}

{{/* "true" where there is a proxy, else nothing. Takes the values. */}}
{{- define "ctiforge.hasProxy" -}}
{{- if or .proxy.http .proxy.https -}} true {{- end -}}
{{- end -}}

{{- define "ctiforge.proxyEnvironment" -}}
{{- $without := printf "%s,$(KUBERNETES_SERVICE_HOST)" .noProxy | trimPrefix "," -}}
{{- range $name, $value := dict "HTTP_PROXY" .http "HTTPS_PROXY" .https "NO_PROXY" $without }}
{{- if $value }}
- {name: {{ $name }}, value: {{ $value | quote }}}
- {name: {{ $name | lower }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
{{- end -}}
