{{/* What all pods of this chart have: a dict with root and user. */}}
{{- define "wardround-coordinator.podBase" -}}
{{- $pods := .root.Values.pods -}}
enableServiceLinks: false
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
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "wardround-coordinator.podLabels" -}}
{{ include "wardround-coordinator.labels" . }}
{{- with .root.Values.pods.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "wardround-coordinator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/*
The pod template of a Job or a Deployment: steps one after the other. A dict: root; component; account; token:
"kubernetes", "kubeflow", "both" or ""; steps: a list of {name, args}, of which a Deployment's last has serves, the port
of its probes; config: the ConfigMap with cluster.yaml or profile.yaml, or ""; work: whether the work volume is mounted;
logins: whether it has what the coordinator's runs have: key, credential of the exchange, login to MLflow.
*/}}
{{- define "wardround-coordinator.jobTemplate" -}}
{{- $last := last .steps -}}
metadata:
  labels:
    {{- include "wardround-coordinator.podLabels" . | nindent 4 }}
spec:
  {{- include "wardround-coordinator.podBase" (dict "root" .root "user" 10001) | nindent 2 }}
  serviceAccountName: {{ .account }}
  automountServiceAccountToken: {{ has .token (list "kubernetes" "both") }}
  restartPolicy: {{ hasKey $last "serves" | ternary "Always" "Never" }}
  {{- with initial .steps }}
  initContainers:
    {{- range . }}
    {{- include "wardround-coordinator.jobContainer" (merge (dict "step" .) $) | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    {{- include "wardround-coordinator.jobContainer" (merge (dict "step" $last) .) | nindent 4 }}
  volumes:
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
    {{- with .config }}
    - name: settings
      configMap:
        name: {{ . }}
    {{- end }}
    {{- if .work }}
    - name: work
      persistentVolumeClaim:
        claimName: {{ include "wardround-coordinator.workClaim" .root }}
    {{- end }}
    {{- if .logins }}
    - name: key
      secret: {secretName: {{ .root.Values.signingKey.secret }}, defaultMode: 0440}
    - name: exchange
      secret: {secretName: {{ .root.Values.exchange.secret }}, defaultMode: 0440}
    {{- end }}
{{- end }}

{{- define "wardround-coordinator.jobContainer" -}}
- name: {{ .step.name }}
  image: {{ include "wardround-coordinator.image" (dict "root" .root "image" "control") }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  args:
    {{- toYaml .step.args | nindent 4 }}
  env:
    - name: HOME
      value: /tmp
    {{- if has .token (list "kubeflow" "both") }}
    - name: WARDROUND_KFP_URL
      value: {{ .root.Values.kubeflow.url | quote }}
    - name: WARDROUND_KFP_TOKEN_FILE
      value: /var/run/secrets/kubeflow/pipelines/token
    {{- end }}
    {{- if .logins }}
    {{- include "wardround-coordinator.logins" .root | nindent 4 }}
    {{- end }}
  {{- if hasKey .step "serves" }}
  {{- include "wardround-coordinator.serving" .step | nindent 2 }}
  {{- end }}
  resources:
    {{- toYaml .root.Values.pods.resources | nindent 4 }}
  securityContext:
    {{- include "wardround-coordinator.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    {{- if has .token (list "kubeflow" "both") }}
    - name: kubeflow-token
      mountPath: /var/run/secrets/kubeflow/pipelines
      readOnly: true
    {{- end }}
    {{- if .config }}
    - name: settings
      mountPath: /etc/wardround/settings
      readOnly: true
    {{- end }}
    {{- if .work }}
    - name: work
      mountPath: /work
    {{- end }}
    {{- if .logins }}
    - {name: key, mountPath: /etc/wardround/key, readOnly: true}
    - {name: exchange, mountPath: /etc/wardround/exchange, readOnly: true}
    {{- end }}
{{- end }}

{{/* The variables with which a run of the coordinator reaches exchange and registry. */}}
{{- define "wardround-coordinator.logins" -}}
- {name: WARDROUND_S3_CREDENTIALS_FILE, value: /etc/wardround/exchange/s3.json}
{{- if include "wardround-coordinator.authoritySecret" . }}
- {name: WARDROUND_S3_CA_FILE, value: /etc/wardround/exchange/ca.crt}
{{- end }}
{{- with include "wardround-coordinator.allowHttp" . }}
- {name: WARDROUND_S3_ALLOW_HTTP, value: {{ . | quote }}}
{{- end }}
{{- if include "wardround-coordinator.mlflowAddress" . }}
{{- range $variable, $key := dict "MLFLOW_TRACKING_PASSWORD" "password" "MLFLOW_TRACKING_USERNAME" "username" }}
- name: {{ $variable }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.mlflow.secret }}, key: {{ $key }}, optional: true}}
{{- end }}
{{- end }}
{{- end }}

{{/* What a pod that answers on a port has: dict "serves" PORT. */}}
{{- define "wardround-coordinator.serving" -}}
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

{{/* The disruption budget of a server: dict root, component, name. */}}
{{- define "wardround-coordinator.disruption" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "wardround-coordinator.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .root.Values.disruption.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "wardround-coordinator.identity" . | nindent 6 }}
{{- end }}
