"""What can go wrong between this process and Kubeflow Pipelines."""

from wardround.errors import WardroundError


class KubeflowError(WardroundError):
    """Kubeflow Pipelines did not do what it was asked."""

    code = "kubeflow"


class KubeflowDeniedError(KubeflowError):
    """Kubeflow Pipelines does not accept this account, or the account may not do this in this namespace."""

    code = "kubeflow-denied"


class KubeflowUnavailableError(KubeflowError):
    """Kubeflow Pipelines did not answer, or failed by itself; trying later may help."""

    code = "kubeflow-unavailable"


class KubeflowMissingError(KubeflowError):
    """What was asked for is not in Kubeflow Pipelines."""

    code = "kubeflow-missing"
