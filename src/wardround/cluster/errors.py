"""What can go wrong between a process and the Kubernetes API. No message holds the content of a Secret."""

from wardround.errors import ConfigurationError, WardroundError


class ClusterError(WardroundError):
    """The Kubernetes API refused a request for a reason of its own."""

    code = "kubernetes"


class ClusterDeniedError(ClusterError):
    """This account may not do that; its Role lacks a rule."""

    code = "kubernetes-denied"


class ClusterUnavailableError(ClusterError):
    """The Kubernetes API did not answer; trying later may help."""

    code = "kubernetes-unavailable"


class NoClusterError(ConfigurationError):
    """There is neither a pod's service account nor a kubeconfig."""

    code = "no-kubernetes"
