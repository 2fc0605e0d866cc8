"""A federation of three hospitals on any cluster with Kubeflow Pipelines: `python -m k8s.demo`."""
