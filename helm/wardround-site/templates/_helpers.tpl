{{/* Labels of every object; `component` as in dict "root" $ "component" NAME. */}}
{{- define "wardround-site.labels" -}}
{{ include "wardround-site.identity" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: wardround
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The labels by which policies select a pod; they never change. */}}
{{- define "wardround-site.identity" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Name and labels of an object; further annotations follow it. */}}
{{- define "wardround-site.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "wardround-site.labels" . | nindent 2 }}
{{- end }}

{{/* An image by digest: the values' own, else the lock's. */}}
{{- define "wardround-site.image" -}}
{{- $locked := get (.root.Files.Get "images.lock.json" | fromJson) .image -}}
{{- $image := get .root.Values.images .image | default $locked -}}
{{- if not $image -}}
{{- fail (printf "images.%s is not given, and images.lock.json has no such image" .image) -}}
{{- end -}}
{{- if hasSuffix (repeat 64 "0") $image -}}
{{- fail (printf "the image %q is not published for this version of the chart: build it with `make images` and install with `-f build/images.values.yaml`, or set images.%s" .image .image) -}}
{{- end -}}
{{- $image -}}
{{- end }}

{{- define "wardround-site.workClaim" -}}
{{- .Values.work.existingClaim | default "wardround-work" -}}
{{- end }}

{{- define "wardround-site.imagesClaim" -}}
{{- .Values.dicom.volume.existingClaim | default "wardround-images" -}}
{{- end }}

{{/* Whether the exchange's own authority is trusted, as a non-empty string. */}}
{{- define "wardround-site.exchangeCa" -}}
{{- if and .Values.exchange.ca (hasPrefix "https://" .Values.exchange.address) -}}true{{- end -}}
{{- end }}

{{- define "wardround-site.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Whether this release makes a claim: not when it is somebody else's already. dict "root" $ "claim" NAME. */}}
{{- define "wardround-site.ownsClaim" -}}
{{- $found := lookup "v1" "PersistentVolumeClaim" .root.Release.Namespace .claim -}}
{{- $annotations := dig "metadata" "annotations" dict $found -}}
{{- if or (not $found) (eq (get $annotations "meta.helm.sh/release-name") .root.Release.Name) -}}true{{- end -}}
{{- end }}
