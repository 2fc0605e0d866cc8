{{/* What a schema cannot say: values that have to be given, and values that contradict each other. */}}
{{- define "wardround-coordinator.validate" -}}
{{- $v := .Values -}}
{{- $_ := required "federation.name is not given: a name for the federation, which the hospitals have to be told" $v.federation.name -}}
{{- $names := list -}}
{{- range $v.hospitals -}}
{{- if eq .name "coordinator" -}}
{{- fail "hospitals: a hospital cannot be called \"coordinator\", the coordinator is" -}}
{{- end -}}
{{- if has .name $names -}}
{{- fail (printf "hospitals: %q is named twice" .name) -}}
{{- end -}}
{{- if gt (len (printf "wardround-%s-%s" $v.federation.name .name)) 63 -}}
{{- fail (printf "hospitals: the bucket of %q would have a name of more than 63 characters: take a shorter name for it or for the federation" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- include "wardround-coordinator.validateExchange" . -}}
{{- include "wardround-coordinator.validateMlflow" . -}}
{{- include "wardround-coordinator.validateSteps" . -}}
{{- end }}

{{- define "wardround-coordinator.validateExchange" -}}
{{- $v := .Values -}}
{{- if not $v.exchange.enabled -}}
{{- $_ := required "exchange.external.address is not given: https://host[:port], or set exchange.enabled=true to run MinIO here" $v.exchange.external.address -}}
{{- if and (hasPrefix "http://" $v.exchange.external.address) (not $v.exchange.external.allowHttp) -}}
{{- fail "exchange.external.address is plain http: use https, or set exchange.external.allowHttp=true if the network itself is encrypted" -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (empty $v.networkPolicy.exchange.to) -}}
{{- fail "networkPolicy.exchange.to is not given: say where the external exchange is, by address (ipBlock) or by labels, or set networkPolicy.enabled=false" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "wardround-coordinator.validateMlflow" -}}
{{- $v := .Values -}}
{{- if $v.mlflow.enabled -}}
{{- range (fromJson (include "wardround-coordinator.readers" .)).names -}}
{{- if has . (list "admin" "coordinator") -}}
{{- fail (printf "mlflow.readers: %q is MLflow's own user here; take another name" .) -}}
{{- end -}}
{{- end -}}
{{- if hasPrefix (printf "wardround-%s" $v.federation.name) (include "wardround-coordinator.mlflowBucket" .) -}}
{{- fail "mlflow.bucket could be a hospital's: take a name that does not start with wardround-FEDERATION" -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (not $v.database.enabled) (empty $v.networkPolicy.database.to) -}}
{{- fail "networkPolicy.database.to is not given: say where MLflow's database is, by address (ipBlock) or by labels, or set networkPolicy.enabled=false" -}}
{{- end -}}
{{- else if and $v.mlflow.external.address $v.networkPolicy.enabled (empty $v.networkPolicy.mlflow.to) -}}
{{- fail "networkPolicy.mlflow.to is not given: say where the external MLflow is, by address (ipBlock) or by labels, or set networkPolicy.enabled=false" -}}
{{- end -}}
{{- end }}

{{/* A default limit that is lower than a step's request would refuse every pod of that step. */}}
{{- define "wardround-coordinator.validateSteps" -}}
{{- if .Values.limitRange.enabled -}}
{{- range $step, $given := .Values.steps -}}
{{- range $resource := list "cpu" "memory" -}}
{{- $requested := get ($given.resources.requests | default dict) $resource -}}
{{- $limit := get ($given.resources.limits | default dict) $resource -}}
{{- if and $requested (not $limit) (hasKey $.Values.limitRange.default $resource) -}}
{{- fail (printf "steps.%s.resources requests %s without a limit, so that limitRange.default.%s would be its limit: give steps.%s.resources.limits.%s" $step $resource $resource $step $resource) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
