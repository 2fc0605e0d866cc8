{{/* The account of the Jobs that set servers up, with its rights. A dict: root, name, annotations (text). */}}
{{- define "wardround-coordinator.setupAccess" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "wardround-coordinator.metadata" (merge (dict "component" "access") .) | nindent 2 }}
  {{- .annotations | nindent 2 }}
automountServiceAccountToken: false
{{- include "wardround-coordinator.pullSecrets" .root }}
---
# A Role cannot name the Secrets that may be created, only those that may be read and changed.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "wardround-coordinator.metadata" (merge (dict "component" "access") .) | nindent 2 }}
  {{- .annotations | nindent 2 }}
rules:
  - apiGroups: [""]
    resources: [secrets]
    verbs: [create]
  - apiGroups: [""]
    resources: [secrets]
    resourceNames:
      {{- include "wardround-coordinator.secretNames" .root | nindent 6 }}
    verbs: [get, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "wardround-coordinator.metadata" (merge (dict "component" "access") .) | nindent 2 }}
  {{- .annotations | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .name }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
