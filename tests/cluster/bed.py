"""Where the tests' cluster is, and what it is made of: from the environment, with the test bed's own as defaults.

KUBECONFIG                       the cluster
WARDROUND_KFP_URL                Kubeflow Pipelines' API
WARDROUND_KFP_UI                 its web pages
WARDROUND_TEST_ARTIFACTS         host:port of the S3 server of Kubeflow's artifacts, which has MinIO's admin API
WARDROUND_TEST_ARTIFACTS_ROOT    user:password of its administrator
WARDROUND_TEST_IMAGES            values for both charts: the images (YAML), as `make images` writes them
WARDROUND_TEST_COORDINATOR       more values for the coordinator's chart (YAML), if any
WARDROUND_TEST_NEXT              values for both charts: the image `control` of a next version (YAML)
"""

import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.shell import ROOT, DemoError, kubectl


@dataclass(frozen=True)
class Bed:
    """What is where."""

    kfp: str
    ui: str
    artifacts: str
    artifacts_user: str
    artifacts_password: str
    images: Path
    coordinator: Path
    next: Path

    @classmethod
    def from_environment(cls) -> "Bed":
        """The bed that the environment describes."""
        read = os.environ.get
        user, _, password = read("WARDROUND_TEST_ARTIFACTS_ROOT", "minio:minio123").partition(":")
        return cls(
            kfp=read("WARDROUND_KFP_URL", "http://ml-pipeline.kubeflow:8888"),
            ui=read("WARDROUND_KFP_UI", "http://ml-pipeline-ui.kubeflow"),
            artifacts=read("WARDROUND_TEST_ARTIFACTS", "minio-service.kubeflow:9000"),
            artifacts_user=user,
            artifacts_password=password,
            coordinator=Path(
                read("WARDROUND_TEST_COORDINATOR", str(ROOT / "build" / "standins.values.yaml"))
            ),
            next=Path(read("WARDROUND_TEST_NEXT", str(ROOT / "build" / "next.values.yaml"))),
            images=Path(read("WARDROUND_TEST_IMAGES", str(ROOT / "build" / "images.values.yaml"))),
        )

    def missing(self) -> str | None:
        """Why the tests cannot run here, or None."""
        if not os.environ.get("KUBECONFIG"):
            return "no KUBECONFIG: these tests need a cluster with Kubeflow Pipelines"
        try:
            kubectl("version", seconds=20)
        except DemoError as error:
            return f"the cluster does not answer: {str(error)[:200]}"
        if not _answers(f"{self.kfp}/apis/v2beta1/healthz"):
            return f"Kubeflow Pipelines does not answer at {self.kfp}"
        if not self.images.is_file():
            return f"{self.images} is missing: build and load the images first (.ci/cluster)"
        return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
