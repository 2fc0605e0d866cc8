{{/* An egress rule of a destination of the values; nothing where none is named, for an empty `to` means everywhere. */}}
{{- define "wardround-coordinator.egress" -}}
{{- if .to }}
- to:
    {{- toYaml .to | nindent 4 }}
  ports:
    {{- range $port := .ports }}
    - {port: {{ $port }}, protocol: TCP}
    {{- if $.udp }}
    - {port: {{ $port }}, protocol: UDP}
    {{- end }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Where the Kubernetes API is: as given, else as the cluster says. */}}
{{- define "wardround-coordinator.kubernetesApi" -}}
{{- $given := .Values.networkPolicy.kubernetesApi -}}
{{- $peers := $given.to -}}
{{- if not $peers -}}
{{- $found := lookup "discovery.k8s.io/v1" "EndpointSlice" "default" "kubernetes" -}}
{{- range $endpoint := dig "endpoints" list $found -}}
{{- range $endpoint.addresses -}}
{{- $peers = append $peers (dict "ipBlock" (dict "cidr" (printf "%s/%s" . (contains ":" . | ternary "128" "32")))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $peers -}}
{{- fail "networkPolicy.kubernetesApi.to is not given, and no cluster can be asked: name the API servers' addresses (kubectl -n default get endpointslice kubernetes)" -}}
{{- end -}}
{{- include "wardround-coordinator.egress" (dict "to" $peers "ports" $given.ports) -}}
{{- end }}

{{/* The values' further rules, which follow others in a list. */}}
{{- define "wardround-coordinator.extraEgress" }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A policy: dict "root" $ "name" N "selector" LABELS "rules" TEXT. */}}
{{- define "wardround-coordinator.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "wardround-coordinator.metadata" (dict "root" .root "component" "network" "name" (printf "wardround-coordinator-%s" .name)) | nindent 2 }}
spec:
  podSelector:
    {{- toYaml .selector | nindent 4 }}
  policyTypes: [Egress]
  egress:
    {{- .rules | trim | nindent 4 }}
{{- end }}

{{/* Selects the chart's own pods of some components. */}}
{{- define "wardround-coordinator.ownPods" -}}
{{- toYaml (dict
  "matchLabels" (dict "app.kubernetes.io/name" .root.Chart.Name "app.kubernetes.io/instance" .root.Release.Name)
  "matchExpressions" (list (dict "key" "app.kubernetes.io/component" "operator" "In" "values" .components))
) -}}
{{- end }}

{{/* An egress rule to a server of this release: dict root, component, port. */}}
{{- define "wardround-coordinator.inside" }}
- to:
    - podSelector:
        matchLabels:
          {{- include "wardround-coordinator.identity" . | nindent 10 }}
  ports:
    - {port: {{ .port }}, protocol: TCP}
{{- end }}

{{/* Who may come in to a server: dict root, component, port, components (of this release), runs, from (peers). */}}
{{- define "wardround-coordinator.entrance" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "wardround-coordinator.metadata" (dict "root" .root "component" "network" "name" (printf "wardround-coordinator-to-%s" .component)) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "wardround-coordinator.identity" . | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector:
            {{- include "wardround-coordinator.ownPods" . | nindent 12 }}
        {{- if .runs }}
        - podSelector:
            matchExpressions:
              - {key: workflows.argoproj.io/workflow, operator: Exists}
        {{- end }}
        {{- with .from }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {port: {{ .port }}, protocol: TCP}
{{- end }}
