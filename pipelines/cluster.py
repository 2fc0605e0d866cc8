"""What every task of Wardround needs of a namespace: a volume, a Secret, retries, no cache.

The Secret is mounted at /etc/wardround: `site.yaml` or `coordinator.yaml` (settings), `key.pem`, `s3.json`, and
`source.json` (the login to the hospital's image archive, where images come from one).
"""

from kfp import dsl, kubernetes

WORK_VOLUME = "wardround-work"
IMAGES_VOLUME = "wardround-images"
SECRET = "wardround"
_SECRETS = "/etc/wardround"


def step(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """A task on the work volume with the party's Secret.

    Retrying is safe because every step goes on from what it wrote; results come from volumes and buckets that
    Kubeflow cannot see, so none is ever taken from its cache.
    """
    task.set_caching_options(False)
    task.set_retry(num_retries=3, backoff_duration="30s", backoff_factor=2.0, backoff_max_duration="600s")
    task.set_env_variable("WARDROUND_S3_CREDENTIALS_FILE", f"{_SECRETS}/s3.json")
    kubernetes.mount_pvc(task, pvc_name=WORK_VOLUME, mount_path="/work")
    kubernetes.use_secret_as_volume(task, secret_name=SECRET, mount_path=_SECRETS)
    return task


def reads_images(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """A task that also sees the hospital's images: a volume, or an archive with its login."""
    task.set_env_variable("WARDROUND_SOURCE_CREDENTIALS_FILE", f"{_SECRETS}/source.json")
    return kubernetes.mount_pvc(task, pvc_name=IMAGES_VOLUME, mount_path="/images")
