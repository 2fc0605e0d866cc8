"""Kubeflow components: interfaces only. What they do is `python -m wardround`, in their images."""
