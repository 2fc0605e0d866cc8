"""Kubeflow Pipelines from the outside: what its runs need of a namespace, registering, starting, looking.

    profile ─→ package (compiled by `pipelines/`) ─→ register ─→ submit ─→ status
                                                         └── client: the API ──┘

What runs inside of a task knows nothing of this: see `wardround.cli.executor`.
"""
