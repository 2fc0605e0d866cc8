"""Pipelines, runs and recurring runs in a real Kubeflow, as a service account. No step of theirs has to run for that."""

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cluster.bed import Bed
from tests.cluster.shell import apply, eventually, kubectl

from wardround.kubeflow.client import Connection, Kubeflow
from wardround.kubeflow.errors import KubeflowDeniedError, KubeflowMissingError, KubeflowUnavailableError
from wardround.kubeflow.find import find_runs
from wardround.kubeflow.package import compile_package
from wardround.kubeflow.profile import Profile
from wardround.kubeflow.recurring import Schedule, disable_recurring, keep_recurring
from wardround.kubeflow.register import Version, count_runs, experiment, newest_version, register
from wardround.kubeflow.start import Order, start_once

# New ones each time: Kubeflow remembers what a namespace had after it is gone.
NAMESPACE = f"kube-register-{secrets.token_hex(3)}"
OTHER = f"{NAMESPACE}-other"
GROUP = "pipelines.kubeflow.org"
RIGHTS = {
    "pipelines": ["create", "get", "list"],
    "experiments": ["create", "get", "list"],
    "runs": ["create", "get", "list"],
    "jobs": ["create", "get", "list", "enable", "disable", "delete"],
}
# Far away: a schedule that starts nothing while the tests look at it.
YEARLY, LATER = Schedule(cron="0 0 0 1 1 *"), Schedule(cron="0 0 0 2 1 *")


@pytest.fixture(scope="module")
def kubeflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubeflow]:
    """The API as an account of a namespace of its own."""
    bed = Bed.from_environment()
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("no KUBECONFIG: these tests need a cluster with Kubeflow Pipelines")
    try:
        count_runs(Kubeflow(Connection(NAMESPACE, bed.kfp)))
    except KubeflowUnavailableError as error:
        pytest.skip(str(error))
    except KubeflowDeniedError:
        pass  # it is there, and lets nobody in without a token
    for namespace in (NAMESPACE, OTHER):
        make_tenant(namespace)
    yield as_account(bed, NAMESPACE, NAMESPACE, tmp_path_factory.mktemp("token"))
    kubectl("delete", "namespace", NAMESPACE, OTHER, "--wait=false")


def as_account(bed: Bed, account_of: str, namespace: str, folder: Path) -> Kubeflow:
    token = folder / "token"
    token.write_text(kubectl("-n", account_of, "create", "token", "submitter", "--audience", GROUP))
    return Kubeflow(Connection(namespace, bed.kfp, token))


def make_tenant(namespace: str) -> None:
    place = {"namespace": namespace, "name": "submitter"}
    rules = [{"apiGroups": [GROUP], "resources": [kind], "verbs": verbs} for kind, verbs in RIGHTS.items()]
    rbac = "rbac.authorization.k8s.io"
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": place, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": place,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "submitter"},
            "subjects": [{"kind": "ServiceAccount", **place}],
        },
    )


def upload(kubeflow: Kubeflow, folder: Path, federation: str = "ward") -> Version:
    profile = Profile(party="site", name="alder", federation=federation)
    return register(kubeflow, "site", compile_package("site", profile, folder / "site.yaml"))


def order(kubeflow: Kubeflow, version: Version, title: str, **parameters: object) -> Order:
    return Order(title, experiment(kubeflow, "ward"), version, parameters)


def recurring(kubeflow: Kubeflow) -> list[tuple[str, str]]:
    """(name, status) of every recurring run of the namespace."""
    api = kubeflow.recurring_runs.recurring_run_service_list_recurring_runs
    found = kubeflow.pages("list", api, "recurring_runs", namespace=kubeflow.namespace)
    return sorted((each.display_name, each.status) for each in found)


def test_registering_the_same_again_makes_no_version_and_other_content_makes_one(
    kubeflow: Kubeflow, tmp_path: Path
) -> None:
    with pytest.raises(KubeflowMissingError, match="wardround pipeline register compile"):
        newest_version(kubeflow, "compile")
    first, again = upload(kubeflow, tmp_path), upload(kubeflow, tmp_path)
    assert (first.is_new, again.is_new) == (True, False)
    assert first.version_id == again.version_id
    time.sleep(1.1)  # Kubeflow knows the second only in which a version was uploaded
    other = upload(kubeflow, tmp_path, "other")
    assert other.is_new and other.pipeline_id == first.pipeline_id
    assert newest_version(kubeflow, "site").version_id == other.version_id
    assert upload(kubeflow, tmp_path) == replace(first, is_new=False)  # a rollback finds what was there


def test_one_order_starts_one_run_whose_page_can_be_found_by_its_name(
    kubeflow: Kubeflow, tmp_path: Path
) -> None:
    version = upload(kubeflow, tmp_path)
    wanted = order(kubeflow, version, "ward/first/alder", run="first")
    before = count_runs(kubeflow)
    first, again = start_once(kubeflow, wanted), start_once(kubeflow, wanted)
    assert (first.is_new, again.is_new) == (True, False)
    assert first.run_id == again.run_id
    assert count_runs(kubeflow) == before + 1
    (found,) = find_runs(kubeflow, "ward", "first")
    assert (found.run_id, found.name) == (first.run_id, "ward/first/alder")


def test_a_recurring_run_is_made_once_replaced_when_it_changes_and_can_be_disabled(
    kubeflow: Kubeflow, tmp_path: Path
) -> None:
    version, title = upload(kubeflow, tmp_path), "ward/recurring/alder"
    wanted = order(kubeflow, version, title)
    assert [keep_recurring(kubeflow, wanted, YEARLY) for _ in range(2)] == ["made", "unchanged"]
    api = kubeflow.recurring_runs.recurring_run_service_list_recurring_runs
    (made,) = kubeflow.pages("list", api, "recurring_runs", namespace=NAMESPACE)
    assert (int(made.max_concurrency), made.no_catchup, made.status) == (1, True, "ENABLED")
    assert keep_recurring(kubeflow, wanted, LATER) == "replaced"
    changed = order(kubeflow, version, title, wait_for_run_seconds=60.0)
    assert keep_recurring(kubeflow, changed, LATER) == "replaced"
    assert recurring(kubeflow) == [(title, "ENABLED")]
    assert disable_recurring(kubeflow, version) == 1
    # Kubeflow's answers follow what its controller has seen.
    assert eventually(lambda: disable_recurring(kubeflow, version) == 0, "the recurring run to be disabled")
    assert recurring(kubeflow) == [(title, "DISABLED")]
    assert keep_recurring(kubeflow, changed, LATER) == "enabled"
    assert recurring(kubeflow) == [(title, "ENABLED")]
    disable_recurring(kubeflow, version)


def test_an_account_of_another_namespace_is_refused_and_told_so(kubeflow: Kubeflow, tmp_path: Path) -> None:
    stranger = as_account(Bed.from_environment(), OTHER, NAMESPACE, tmp_path)
    for attempt in (lambda: count_runs(stranger), lambda: upload(stranger, tmp_path, "stranger")):
        with pytest.raises(KubeflowDeniedError, match=f"may not .* in namespace '{NAMESPACE}'"):
            attempt()
    assert count_runs(as_account(Bed.from_environment(), OTHER, OTHER, tmp_path)) == 0


def test_without_a_token_nobody_is_let_in(kubeflow: Kubeflow) -> None:
    with pytest.raises(KubeflowDeniedError):
        count_runs(Kubeflow(Connection(NAMESPACE, kubeflow.connection.url)))
