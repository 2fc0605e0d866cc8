{{/* site.yaml: the fields of the site's settings. `data` and, if empty, `run` come with each run. */}}
{{- define "wardround-site.site" -}}
{{- $v := .Values -}}
{{- $site := dict
  "federation" $v.federation.name
  "site" $v.federation.site
  "exchange" $v.exchange.address
  "coordinator_key" $v.federation.coordinatorKey
  "key_file" "/etc/wardround/key/key.pem"
  "work" "/work"
  "approved_digests" $v.federation.approvedPlans
  "steward_keys" $v.federation.stewardKeys
  "approvals" (empty $v.federation.approvalsConfigMap | ternary "/work/approvals" "/etc/wardround/approvals")
  "verify" $v.federation.verify
  "start_wait_s" $v.waiting.run
  "round_wait_s" $v.waiting.round
  "outage_s" $v.waiting.outage
  "dicom" $v.dicom.location
  "select" $v.dicom.select
  "labels" $v.dicom.labels
  "label_encoding" $v.dicom.labelEncoding
  "burned_in" $v.dicom.burnedIn
  "keep_error_texts" $v.keepErrorTexts
  "harmless_words" $v.dicom.harmlessWords
  "follow_links" $v.dicom.followLinks
-}}
{{- if $v.federation.privacyBudget.epsilon }}{{ $_ := set $site "privacy_budget" $v.federation.privacyBudget }}{{ end -}}
{{- with $v.federation.run }}{{ $_ := set $site "run" . }}{{ end -}}
{{- with $v.dicom.devices }}{{ $_ := set $site "devices" . }}{{ end -}}
{{- toYaml $site -}}
{{- end }}

{{/* profile.yaml: what the compiled pipeline needs to know of this namespace. */}}
{{- define "wardround-site.profile" -}}
{{- $v := .Values -}}
{{- $tolerations := list -}}
{{- range $v.pods.tolerations -}}
{{- $toleration := omit . "tolerationSeconds" -}}
{{- with .tolerationSeconds }}{{ $_ := set $toleration "toleration_seconds" . }}{{ end -}}
{{- $tolerations = append $tolerations $toleration -}}
{{- end -}}
{{- $resources := dict -}}
{{- $images := dict -}}
{{- range $step, $given := $v.steps -}}
{{- $_ := set $resources $step (include "wardround-site.stepResources" $given | fromYaml) -}}
{{- $_ := set $images $step (include "wardround-site.image" (dict "root" $ "image" $step)) -}}
{{- end -}}
{{- toYaml (dict
  "party" "site"
  "name" $v.federation.site
  "federation" $v.federation.name
  "settings_config_map" "wardround-site"
  "key_secret" $v.signingKey.secret
  "exchange_secret" $v.exchange.secret
  "exchange_has_ca" (include "wardround-site.exchangeCa" . | empty | not)
  "exchange_allow_http" $v.exchange.allowHttp
  "source_secret" ($v.dicom.secret | default nil)
  "approvals_config_map" ($v.federation.approvalsConfigMap | default nil)
  "work_claim" (include "wardround-site.workClaim" .)
  "images_claim" (include "wardround-site.imagesClaim" .)
  "images_folder_read_only" true
  "verifies" (ne $v.federation.verify "never")
  "node_selector" $v.pods.nodeSelector
  "tolerations" $tolerations
  "labels" (merge (dict "app.kubernetes.io/part-of" "wardround") $v.pods.labels)
  "images" $images
  "resources" $resources
  "retries" (dict "count" $v.retries.count "backoff_seconds" $v.retries.backoffSeconds)
) -}}
{{- end }}

{{/* An amount of memory. A plain number of a values file is a float to Helm, which would be written as 1e+09. */}}
{{- define "wardround-site.bytes" -}}
{{- kindIs "string" . | ternary . (int64 . | toString) -}}
{{- end }}

{{- define "wardround-site.stepResources" -}}
{{- $requests := .resources.requests | default dict -}}
{{- $limits := .resources.limits | default dict -}}
{{- with $requests.cpu }}
cpu_request: {{ . | quote }}
{{- end }}
{{- with $limits.cpu }}
cpu_limit: {{ . | quote }}
{{- end }}
{{- with $requests.memory }}
memory_request: {{ include "wardround-site.bytes" . | quote }}
{{- end }}
{{- with $limits.memory }}
memory_limit: {{ include "wardround-site.bytes" . | quote }}
{{- end }}
{{- if .gpu.count }}
gpu:
  resource: {{ .gpu.resource }}
  count: {{ .gpu.count }}
{{- end }}
{{- end }}

{{/* The data of the ConfigMap wardround-site. */}}
{{- define "wardround-site.settingsData" -}}
site.yaml: |
  {{- include "wardround-site.site" . | nindent 2 }}
profile.yaml: |
  {{- include "wardround-site.profile" . | nindent 2 }}
parameters.yaml: |
  {{- toYaml .Values.pipeline.parameters | nindent 2 }}
{{- end }}
