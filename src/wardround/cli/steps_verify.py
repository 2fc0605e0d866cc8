"""The step of a hospital's pipeline that verifies the plan. Its image has the compiler, and no TensorFlow beside it."""

import logging
from functools import partial

from wardround.cli.options import Step
from wardround.plan.verification import verdict
from wardround.processes import run_until_signal
from wardround.site.plans import UnwantedPlanError
from wardround.site.settings import SiteSettings
from wardround.site.verify_run import verify_run

_LOG = logging.getLogger(__name__)
_IDLE = "idle: no run was open that this site could take part in"


def run_verify(given: Step[SiteSettings]) -> None:
    """Outputs: `run_name`, and `reason`: why there is nothing to do, or empty; and `verdict`.

    In a pipeline, a plan that may not run here ends it well, with a reason that says so: Kubeflow would repeat a failed
    step in vain.
    """
    try:
        done = run_until_signal(partial(verify_run, given.settings))
    except UnwantedPlanError as error:
        if not given.executor.is_task:
            raise
        _LOG.error("%s [%s]", error, error.code)
        given.executor.write({"run_name": "", "reason": f"declined: {error.advice}", "verdict": ""})
        return
    if done is None:
        _LOG.info("nothing to do: %s", _IDLE)
        given.executor.write({"run_name": "", "reason": _IDLE, "verdict": ""})
        return
    words = verdict(done.found, done.manifest)
    _LOG.info("run %s: plan %s: %s", done.run, done.found.digest, words)
    given.executor.write({"run_name": done.run, "reason": "", "verdict": done.found.basis})
