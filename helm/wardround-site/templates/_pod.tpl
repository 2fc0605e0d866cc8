{{/*
The pod template of a Job. A dict: root; component; account; image (its name in the lock); args;
token: "kubernetes", "kubeflow", "both" or ""; mounts: names of the volumes below that the container sees;
serves: the port on which it answers probes, of a Deployment's.
*/}}
{{- define "wardround-site.podTemplate" -}}
metadata:
  labels:
    {{- include "wardround-site.podLabels" . | nindent 4 }}
spec:
  {{- include "wardround-site.podSpec" . | nindent 2 }}
{{- end }}

{{/* Labels of a pod; the schema keeps the values' from replacing ours, by which policies select. */}}
{{- define "wardround-site.podLabels" -}}
{{- merge (include "wardround-site.labels" . | fromYaml) .root.Values.pods.labels | toYaml -}}
{{- end }}

{{- define "wardround-site.podSpec" -}}
{{- $pods := .root.Values.pods -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ has .token (list "kubernetes" "both") }}
enableServiceLinks: false
restartPolicy: {{ hasKey . "serves" | ternary "Always" "Never" }}
{{- with $pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $pods.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: {{ .component }}
    image: {{ include "wardround-site.image" . }}
    args:
      {{- toYaml .args | nindent 6 }}
    env:
      {{- include "wardround-site.env" . | nindent 6 }}
    {{- if hasKey . "serves" }}
    {{- include "wardround-site.serving" . | nindent 4 }}
    {{- end }}
    resources:
      {{- toYaml $pods.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    volumeMounts:
      {{- include "wardround-site.mounts" . | nindent 6 }}
volumes:
  {{- include "wardround-site.volumes" . | nindent 2 }}
{{- end }}

{{- define "wardround-site.env" -}}
- name: HOME
  value: /tmp
{{- if has .token (list "kubeflow" "both") }}
- name: WARDROUND_KFP_URL
  value: {{ .root.Values.kubeflow.url | quote }}
- name: WARDROUND_KFP_TOKEN_FILE
  value: /var/run/secrets/kubeflow/pipelines/token
{{- end }}
{{- if has "exchange" .mounts }}
- name: WARDROUND_S3_CREDENTIALS_FILE
  value: /etc/wardround/exchange/s3.json
{{- if include "wardround-site.exchangeCa" .root }}
- name: WARDROUND_S3_CA_FILE
  value: /etc/wardround/exchange/ca.crt
{{- end }}
- name: WARDROUND_S3_ALLOW_HTTP
  value: {{ .root.Values.exchange.allowHttp | quote }}
{{- end }}
{{- if has "source" .mounts }}
- name: WARDROUND_SOURCE_CREDENTIALS_FILE
  value: /etc/wardround/source/source.json
{{- end }}
{{- end }}

{{- define "wardround-site.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if has .token (list "kubeflow" "both") }}
- name: kubeflow-token
  mountPath: /var/run/secrets/kubeflow/pipelines
  readOnly: true
{{- end }}
{{- range .mounts }}
- name: {{ . }}
  mountPath: {{ has . (list "work" "images") | ternary (printf "/%s" .) (printf "/etc/wardround/%s" .) }}
  {{- if ne . "work" }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end }}

{{- define "wardround-site.volumes" -}}
{{- $values := .root.Values -}}
{{- $secrets := dict "exchange" $values.exchange.secret "key" $values.signingKey.secret "source" $values.dicom.secret -}}
{{- $claims := dict "work" (include "wardround-site.workClaim" .root) "images" (include "wardround-site.imagesClaim" .root) -}}
- name: tmp
  emptyDir:
    sizeLimit: 1Gi
{{- if has .token (list "kubeflow" "both") }}
- name: kubeflow-token
  projected:
    sources:
      - serviceAccountToken:
          audience: pipelines.kubeflow.org
          expirationSeconds: 3600
          path: token
{{- end }}
{{- range .mounts }}
- name: {{ . }}
  {{- if hasKey $secrets . }}
  secret:
    secretName: {{ get $secrets . }}
    defaultMode: 0440
  {{- else if hasKey $claims . }}
  persistentVolumeClaim:
    claimName: {{ get $claims . }}
    {{- if eq . "images" }}
    readOnly: true
    {{- end }}
  {{- else }}
  configMap:
    name: wardround-site
  {{- end }}
{{- end }}
{{- end }}

{{/* What a pod that answers on a port has: dict "serves" PORT. */}}
{{- define "wardround-site.serving" -}}
ports:
  - {name: health, containerPort: {{ .serves }}}
startupProbe:
  httpGet: {path: /, port: health}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /, port: health}
  periodSeconds: 60
readinessProbe:
  httpGet: {path: /, port: health}
  periodSeconds: 60
{{- end }}
