{{/* Labels of every object; `component` as in dict "root" $ "component" NAME. */}}
{{- define "wardround-coordinator.labels" -}}
{{ include "wardround-coordinator.identity" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: wardround
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The labels by which policies and Services select a pod; they never change. */}}
{{- define "wardround-coordinator.identity" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Name and labels of an object; further annotations follow it. */}}
{{- define "wardround-coordinator.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "wardround-coordinator.labels" . | nindent 2 }}
{{- end }}

{{/* An image: of others as the values say, of Wardround by digest, the values' own or the lock's. */}}
{{- define "wardround-coordinator.image" -}}
{{- $image := get .root.Values.images .image -}}
{{- if not (has .image (list "minio" "postgres")) -}}
{{- $image = $image | default (get (.root.Files.Get "images.lock.json" | fromJson) .image) -}}
{{- if not $image -}}
{{- fail (printf "images.%s is not given, and images.lock.json has no such image" .image) -}}
{{- end -}}
{{- if hasSuffix (repeat 64 "0") $image -}}
{{- fail (printf "the image %q is not published for this version of the chart: build it with `make images` and install with `-f build/images.values.yaml`, or set images.%s" .image .image) -}}
{{- end -}}
{{- end -}}
{{- $image -}}
{{- end }}

{{- define "wardround-coordinator.workClaim" -}}
{{- .Values.work.existingClaim | default "wardround-work" -}}
{{- end }}

{{- define "wardround-coordinator.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Whether this release makes a claim: not when it is somebody else's already. dict "root" $ "claim" NAME. */}}
{{- define "wardround-coordinator.ownsClaim" -}}
{{- $found := lookup "v1" "PersistentVolumeClaim" .root.Release.Namespace .claim -}}
{{- $annotations := dig "metadata" "annotations" dict $found -}}
{{- if or (not $found) (eq (get $annotations "meta.helm.sh/release-name") .root.Release.Name) -}}true{{- end -}}
{{- end }}

{{/* Where the exchange is, as pods of this namespace say it. */}}
{{- define "wardround-coordinator.exchangeAddress" -}}
{{- if .Values.exchange.enabled -}}
{{- printf "%s://wardround-exchange.%s:9000" (.Values.exchange.tls.enabled | ternary "https" "http") .Release.Namespace -}}
{{- else -}}
{{- .Values.exchange.external.address -}}
{{- end -}}
{{- end }}

{{/* The Secret whose ca.crt everybody must trust who talks to the exchange; empty for the usual authorities. */}}
{{- define "wardround-coordinator.authoritySecret" -}}
{{- if hasPrefix "https://" (include "wardround-coordinator.exchangeAddress" .) -}}
{{- .Values.exchange.enabled | ternary .Values.exchange.tls.secret .Values.exchange.external.caSecret -}}
{{- end -}}
{{- end }}

{{/* Whether http is spoken to the exchange on purpose, as "true" or "". */}}
{{- define "wardround-coordinator.allowHttp" -}}
{{- if hasPrefix "http://" (include "wardround-coordinator.exchangeAddress" .) -}}true{{- end -}}
{{- end }}

{{/* Who makes identities in the exchange: minio or none. */}}
{{- define "wardround-coordinator.exchangeUsers" -}}
{{- .Values.exchange.enabled | ternary "minio" .Values.exchange.external.users -}}
{{- end }}

{{- define "wardround-coordinator.mlflowAddress" -}}
{{- .Values.mlflow.enabled | ternary (printf "http://wardround-mlflow.%s:5000" .Release.Namespace) .Values.mlflow.external.address -}}
{{- end }}

{{- define "wardround-coordinator.mlflowBucket" -}}
{{- .Values.mlflow.bucket | default (printf "mlflow-%s" .Values.federation.name) -}}
{{- end }}

{{/* Users of MLflow who may read: hospitals and others, each one once, as {"names": […]}. */}}
{{- define "wardround-coordinator.readers" -}}
{{- $readers := .Values.mlflow.readers -}}
{{- if .Values.mlflow.hospitalsRead -}}
{{- range .Values.hospitals -}}
{{- $readers = append $readers .name -}}
{{- end -}}
{{- end -}}
{{- dict "names" ($readers | uniq) | toJson -}}
{{- end }}
