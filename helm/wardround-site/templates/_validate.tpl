{{/* What a schema cannot say: values that have to be given, and values that contradict each other. */}}
{{- define "wardround-site.validate" -}}
{{- $v := .Values -}}
{{- $_ := required "federation.name is not given: the federation's name, as the coordinator says it" $v.federation.name -}}
{{- $_ := required "federation.site is not given: the hospital's name in the federation, as the coordinator says it" $v.federation.site -}}
{{- $_ := required "federation.coordinatorKey is not given: the coordinator's public key, 64 hexadecimal digits, told outside of the exchange" $v.federation.coordinatorKey -}}
{{- $_ := required "exchange.address is not given: https://host[:port]" $v.exchange.address -}}
{{- if eq $v.federation.site "coordinator" -}}
{{- fail "federation.site: a hospital cannot be called \"coordinator\", the coordinator is" -}}
{{- end -}}
{{- if and (hasPrefix "http://" $v.exchange.address) (not $v.exchange.allowHttp) -}}
{{- fail "exchange.address is plain http: use https, or set exchange.allowHttp=true if the network itself is encrypted" -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (empty $v.networkPolicy.exchange.to) -}}
{{- fail "networkPolicy.exchange.to is not given: say where the exchange is, by address (ipBlock) or by labels, or set networkPolicy.enabled=false" -}}
{{- end -}}
{{- if and (eq $v.pipeline.start "schedule") (empty $v.pipeline.cron | eq (eq (int $v.pipeline.seconds) 0)) -}}
{{- fail "pipeline.start is \"schedule\": give either pipeline.cron or pipeline.seconds" -}}
{{- end -}}
{{- if and (ne $v.pipeline.start "nothing") (not $v.pipeline.register) -}}
{{- fail (printf "pipeline.start is %q, but pipeline.register is false: what is not registered cannot be started" $v.pipeline.start) -}}
{{- end -}}
{{- include "wardround-site.validateSteps" . -}}
{{- end }}

{{/* A default limit that is lower than a step's request would refuse every pod of that step. */}}
{{- define "wardround-site.validateSteps" -}}
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
