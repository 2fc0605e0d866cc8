"""Kubeflow pipelines: one run per hospital, in its own namespace, and one of the coordinator."""
