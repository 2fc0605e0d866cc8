"""What a task gets of its namespace: mounts, Secrets, resources, nodes and retries, as its party's profile says.

    /etc/wardround/settings    ConfigMap: site.yaml or coordinator.yaml
    /etc/wardround/key         Secret: key.pem
    /etc/wardround/exchange    Secret: s3.json, ca.crt
    /etc/wardround/source      Secret: source.json, the login to the hospital's image archive; may be absent
    /etc/wardround/approvals   ConfigMap: a key for each approved plan; may be absent
    /work, /images             claims

Only options that Kubeflow Pipelines 2.14 knows are used: it ignores newer ones without a word.
"""

from kfp import dsl, kubernetes

from wardround.kubeflow.profile import Component, Profile, Resources

MOUNT = "/etc/wardround"
SETTINGS = f"{MOUNT}/settings"
# Argo ends a repeated step, also one that works well, so long after its first attempt began.
_EVER = "52w"


def step(task: dsl.PipelineTask, profile: Profile, component: Component) -> dsl.PipelineTask:
    """A task with what every task has: settings, the exchange's credential, work volume, nodes, resources.

    Retrying is safe because every step goes on from what it wrote; results come from volumes and buckets that
    Kubeflow cannot see, so none is ever taken from its cache.
    """
    task.set_caching_options(False)
    retries = profile.retries
    if retries.count:
        task.set_retry(
            num_retries=retries.count,
            backoff_duration=f"{retries.backoff_seconds}s",
            backoff_factor=2.0,
            backoff_max_duration=_EVER,
        )
    if component in profile.images:
        task.set_container_image(profile.images[component])
    _place(task, profile, component)
    kubernetes.use_config_map_as_volume(task, profile.settings_config_map, SETTINGS)
    kubernetes.mount_pvc(task, pvc_name=profile.work_claim, mount_path="/work")
    return _exchange(task, profile)


def signs(task: dsl.PipelineTask, profile: Profile) -> dsl.PipelineTask:
    """A task that signs what it publishes."""
    return kubernetes.use_secret_as_volume(task, profile.key_secret, f"{MOUNT}/key")


def approves(task: dsl.PipelineTask, profile: Profile) -> dsl.PipelineTask:
    """A task that looks which plans the hospital has approved."""
    if profile.approvals_config_map is not None:
        name = profile.approvals_config_map
        kubernetes.use_config_map_as_volume(task, name, f"{MOUNT}/approvals", optional=True)
    return task


def reads_images(task: dsl.PipelineTask, profile: Profile) -> dsl.PipelineTask:
    """A task that sees the hospital's images: a volume, or an archive with its login."""
    if profile.source_secret is not None:
        kubernetes.use_secret_as_volume(task, profile.source_secret, f"{MOUNT}/source", optional=True)
        task.set_env_variable("WARDROUND_SOURCE_CREDENTIALS_FILE", f"{MOUNT}/source/source.json")
    if profile.images_claim is not None:
        kubernetes.mount_pvc(task, pvc_name=profile.images_claim, mount_path="/images")
        if profile.images_folder_read_only:
            task.set_env_variable("WARDROUND_IMAGES_READ_ONLY", "true")
    return task


def registers(task: dsl.PipelineTask, profile: Profile) -> dsl.PipelineTask:
    """A task that writes to MLflow as the coordinator."""
    # In parts, files would go to the exchange's own address, whose authority MLflow's client does not know.
    task.set_env_variable("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "false")
    task.set_env_variable("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    if profile.mlflow_secret is not None:
        variables = {"username": "MLFLOW_TRACKING_USERNAME", "password": "MLFLOW_TRACKING_PASSWORD"}
        kubernetes.use_secret_as_env(task, profile.mlflow_secret, variables, optional=True)
    return task


def _exchange(task: dsl.PipelineTask, profile: Profile) -> dsl.PipelineTask:
    folder = f"{MOUNT}/exchange"
    kubernetes.use_secret_as_volume(task, profile.exchange_secret, folder)
    task.set_env_variable("WARDROUND_S3_CREDENTIALS_FILE", f"{folder}/s3.json")
    if profile.exchange_has_ca:
        task.set_env_variable("WARDROUND_S3_CA_FILE", f"{folder}/ca.crt")
    if profile.exchange_allow_http:
        task.set_env_variable("WARDROUND_S3_ALLOW_HTTP", "true")
    return task


def _place(task: dsl.PipelineTask, profile: Profile, component: Component) -> None:
    """Where the task's pod may run, what it is called there, and what it asks for."""
    for key, value in sorted(profile.node_selector.items()):
        kubernetes.add_node_selector(task, key, value)
    for toleration in profile.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump())
    for key, value in sorted(profile.pod_labels(component).items()):
        kubernetes.add_pod_label(task, key, value)
    _ask(task, profile.resources.get(component, Resources()))


def _ask(task: dsl.PipelineTask, resources: Resources) -> None:
    if resources.cpu_request is not None:
        task.set_cpu_request(resources.cpu_request)
    if resources.cpu_limit is not None:
        task.set_cpu_limit(resources.cpu_limit)
    if resources.memory_request is not None:
        task.set_memory_request(resources.memory_request)
    if resources.memory_limit is not None:
        task.set_memory_limit(resources.memory_limit)
    if resources.gpu is not None:
        task.set_accelerator_type(resources.gpu.resource)
        task.set_accelerator_limit(resources.gpu.count)
