{{/* coordinator.yaml: the fields of the coordinator's settings. What is empty or 0 comes with each run. */}}
{{- define "wardround-coordinator.coordinator" -}}
{{- $v := .Values -}}
{{- $members := dict -}}
{{- range $v.hospitals -}}
{{- if .publicKey }}{{ $_ := set $members .name .publicKey }}{{ end -}}
{{- end -}}
{{- $coordinator := dict
  "federation" $v.federation.name
  "exchange" (include "wardround-coordinator.exchangeAddress" .)
  "key_file" "/etc/wardround/key/key.pem"
  "work" "/work"
  "outage_s" $v.run.outage
-}}
{{- with $members }}{{ $_ := set $coordinator "members" . }}{{ end -}}
{{- with include "wardround-coordinator.mlflowAddress" . }}{{ $_ := set $coordinator "tracking_uri" . }}{{ end -}}
{{- $optional := dict "run" $v.run.name "rounds" $v.run.rounds "quorum" $v.run.quorum "deadline_s" $v.run.deadline "join_deadline_s" $v.run.joinDeadline "threads" $v.run.threads -}}
{{- range $name, $value := $optional -}}
{{- if $value }}{{ $_ := set $coordinator $name $value }}{{ end -}}
{{- end -}}
{{- toYaml $coordinator -}}
{{- end }}

{{/* profile.yaml: what the compiled pipelines need to know of this namespace. */}}
{{- define "wardround-coordinator.profile" -}}
{{- $v := .Values -}}
{{- $resources := dict -}}
{{- $images := dict -}}
{{- range $step, $given := $v.steps -}}
{{- $_ := set $resources $step (include "wardround-coordinator.stepResources" $given | fromYaml) -}}
{{- $_ := set $images $step (include "wardround-coordinator.image" (dict "root" $ "image" $step)) -}}
{{- end -}}
{{- toYaml (dict
  "party" "coordinator"
  "name" "coordinator"
  "federation" $v.federation.name
  "settings_config_map" "wardround-coordinator"
  "key_secret" $v.signingKey.secret
  "exchange_secret" $v.exchange.secret
  "exchange_has_ca" (include "wardround-coordinator.authoritySecret" . | empty | not)
  "exchange_allow_http" (include "wardround-coordinator.allowHttp" . | empty | not)
  "mlflow_secret" (include "wardround-coordinator.mlflowAddress" . | empty | ternary nil $v.mlflow.secret)
  "work_claim" (include "wardround-coordinator.workClaim" .)
  "node_selector" $v.pods.nodeSelector
  "tolerations" $v.pods.tolerations
  "labels" (merge (dict "app.kubernetes.io/part-of" "wardround") $v.pods.labels)
  "images" $images
  "resources" $resources
  "retries" (dict "count" $v.retries.count "backoff_seconds" $v.retries.backoffSeconds)
) -}}
{{- end }}

{{/* An amount of memory. A plain number of a values file is a float to Helm, which would be written as 1e+09. */}}
{{- define "wardround-coordinator.bytes" -}}
{{- kindIs "string" . | ternary . (int64 . | toString) -}}
{{- end }}

{{- define "wardround-coordinator.stepResources" -}}
{{- $requests := .resources.requests | default dict -}}
{{- $limits := .resources.limits | default dict -}}
{{- with $requests.cpu }}
cpu_request: {{ . | quote }}
{{- end }}
{{- with $limits.cpu }}
cpu_limit: {{ . | quote }}
{{- end }}
{{- with $requests.memory }}
memory_request: {{ include "wardround-coordinator.bytes" . | quote }}
{{- end }}
{{- with $limits.memory }}
memory_limit: {{ include "wardround-coordinator.bytes" . | quote }}
{{- end }}
{{- end }}

{{/* The data of the ConfigMap wardround-coordinator. */}}
{{- define "wardround-coordinator.settingsData" -}}
coordinator.yaml: |
  {{- include "wardround-coordinator.coordinator" . | nindent 2 }}
profile.yaml: |
  {{- include "wardround-coordinator.profile" . | nindent 2 }}
{{- end }}

{{/* cluster.yaml: what the Jobs that set servers up need to know; names, no secrets. */}}
{{- define "wardround-coordinator.cluster" -}}
{{- $v := .Values -}}
{{- $names := list -}}
{{- range $v.hospitals }}{{ $names = append $names .name }}{{ end -}}
{{- $exchange := dict
  "endpoint" (include "wardround-coordinator.exchangeAddress" .)
  "region" ($v.exchange.enabled | ternary "us-east-1" $v.exchange.external.region)
  "allow_http" (include "wardround-coordinator.allowHttp" . | empty | not)
  "users" (include "wardround-coordinator.exchangeUsers" .)
  "create_buckets" (or $v.exchange.enabled $v.exchange.external.createBuckets)
  "root_secret" $v.exchange.rootSecret
  "coordinator_secret" $v.exchange.secret
-}}
{{- with include "wardround-coordinator.authoritySecret" . }}{{ $_ := set $exchange "tls_secret" . }}{{ end -}}
{{- $cluster := dict "federation" $v.federation.name "hospitals" $names "exchange" $exchange -}}
{{- if include "wardround-coordinator.makesCertificate" . -}}
{{- $_ := set $cluster "certificate" (dict "secret" $v.exchange.tls.secret "days" $v.exchange.tls.days
  "names" (fromJson (include "wardround-coordinator.exchangeNames" .)).names) -}}
{{- end -}}
{{- if $v.mlflow.enabled -}}
{{- $_ := set $exchange "artifacts_bucket" (include "wardround-coordinator.mlflowBucket" .) -}}
{{- $_ := set $exchange "artifacts_secret" $v.mlflow.bucketSecret -}}
{{- $mlflow := dict
  "url" (include "wardround-coordinator.mlflowAddress" .)
  "readers" (fromJson (include "wardround-coordinator.readers" .)).names
  "coordinator_secret" $v.mlflow.secret
  "database_secret" $v.database.secret
-}}
{{- if $v.database.enabled -}}
{{- $_ := set $mlflow "database" (dict "secret" $v.database.secret "host" (printf "wardround-mlflow-db.%s" .Release.Namespace)) -}}
{{- end -}}
{{- $_ := set $cluster "mlflow" $mlflow -}}
{{- end -}}
{{- toYaml $cluster -}}
{{- end }}

{{- define "wardround-coordinator.makesCertificate" -}}
{{- with .Values.exchange }}{{ if and .enabled .tls.enabled .tls.create }}true{{ end }}{{ end -}}
{{- end }}

{{/* Every name by which the exchange is reached. */}}
{{- define "wardround-coordinator.exchangeNames" -}}
{{- $service := "wardround-exchange" -}}
{{- $local := printf "%s.%s" $service .Release.Namespace -}}
{{- $names := list $local $service (printf "%s.svc" $local) (printf "%s.svc.cluster.local" $local) -}}
{{- dict "names" (concat $names .Values.exchange.tls.names | uniq) | toJson -}}
{{- end }}

{{/* The Secrets that the setup account may read and change; as a YAML list. */}}
{{- define "wardround-coordinator.secretNames" -}}
{{- $v := .Values -}}
{{- $names := list $v.exchange.rootSecret $v.exchange.secret -}}
{{- with include "wardround-coordinator.authoritySecret" . }}{{ $names = append $names . }}{{ end -}}
{{- if include "wardround-coordinator.makesCertificate" . }}{{ $names = append $names "wardround-exchange-ca" }}{{ end -}}
{{- if $v.signingKey.create }}{{ $names = append $names $v.signingKey.secret }}{{ end -}}
{{- range $v.hospitals }}{{ $names = append $names (printf "wardround-credential-%s" .name) }}{{ end -}}
{{- if $v.mlflow.enabled -}}
{{- $names = concat $names (list $v.mlflow.secret $v.mlflow.bucketSecret $v.database.secret "wardround-mlflow-admin" "wardround-mlflow-server") -}}
{{- range (fromJson (include "wardround-coordinator.readers" .)).names }}{{ $names = append $names (printf "wardround-mlflow-reader-%s" .) }}{{ end -}}
{{- end -}}
{{- $names | uniq | toYaml -}}
{{- end }}
