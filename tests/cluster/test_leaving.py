"""New credentials and keys, and a hospital that leaves and comes back, by the commands of docs/operations.md."""

import json
import time

import pytest
from minio.error import S3Error
from tests.cluster import inside, kubeflow, people
from tests.cluster.demo import Demo
from tests.cluster.documented import HOSPITAL, OPERATIONS, SITE, Shell, block, login, s3
from tests.cluster.federation import COORDINATOR, FEDERATION, RELEASE, SITES, Cluster, set_up
from tests.cluster.first_run import Finished
from tests.cluster.people import MLFLOW, basic
from tests.cluster.shell import eventually, get, helm, secret

from wardround.exchange.layout import Layout

_LOOK = f"{MLFLOW}/api/2.0/mlflow/experiments/search?max_results=1"


@pytest.fixture(scope="module")
def shell(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("work") / "shell")


def test_a_new_credential_works_beside_the_old_one_until_that_is_retired(shell: Shell) -> None:
    old = login(HOSPITAL)
    shell.do("New credentials")
    assert _opens(old)
    # A way that only the hospital's IT can read; then it replaces its own Secret.
    shell.do("3. A hospital joins", 1, "coordinator.md")
    shell.do("New credentials", 1)
    new = login(HOSPITAL)
    assert new != old and _opens(old) and _opens(new)
    shell.lines(block(OPERATIONS, "New credentials").replace("ACTION=rotate", "ACTION=retire"))
    assert not _opens(old) and _opens(new)
    helm("test", RELEASE, "--namespace", HOSPITAL, "--timeout", "5m")


def test_a_new_password_opens_the_registry_and_the_old_one_soon_does_not(shell: Shell) -> None:
    old = _reader()
    commands = block(OPERATIONS, "New credentials")
    shell.lines(commands.replace("cronjob/wardround-keys", "cronjob/wardround-passwords"))
    assert _reader() != old and inside.requested(_LOOK, "GET", _reader()) == "allowed"
    _is_refused_soon(old)


def test_a_hospitals_new_signing_key_is_told_and_entered(shell: Shell, cluster: Cluster) -> None:
    old = secret(HOSPITAL, "wardround-key")
    shell.values(HOSPITAL)
    key = shell.do("New keys").splitlines()[-1]
    assert secret(HOSPITAL, "wardround-key") != old
    members = cluster.members()
    assert len(key) == 64 and members[SITE] != key
    cluster.install_coordinator({**members, SITE: key})
    assert cluster.members()[SITE] == key


def test_a_hospital_that_is_taken_out_of_the_list_is_let_in_nowhere_and_its_bucket_stays(
    shell: Shell, cluster: Cluster
) -> None:
    own, reader, members = login(HOSPITAL), _reader(), cluster.members()
    others = [{"name": site, "publicKey": members[site]} for site in SITES if site != SITE]
    cluster.install_coordinator(members, hospitals=others)
    assert not _opens(own)
    _is_refused_soon(reader)
    assert all(_opens(login(SITES[other["name"]]), other["name"]) for other in others)
    root = secret(COORDINATOR, "wardround-exchange-root")
    keys = {"access_key": root["rootUser"].decode(), "secret_key": root["rootPassword"].decode()}
    administrator = s3({**login(COORDINATOR), "s3.json": json.dumps(keys).encode()})
    assert [*administrator.list_objects(bucket_name=Layout(FEDERATION).site(SITE), recursive=True)]
    assert secret(COORDINATOR, f"wardround-credential-{SITE}")


def test_a_hospital_that_leaves_keeps_nothing_in_its_namespace(shell: Shell) -> None:
    said = shell.do("Removing a hospital")
    assert "persistentvolumeclaim/wardround-work" in said and "secret/wardround-key" in said
    left = get(HOSPITAL, "pvc,secret,configmap,deployment,job,networkpolicy,serviceaccount,role")["items"]
    assert [each for each in left if "wardround" in each["metadata"]["name"]] == []


def test_it_can_join_again_and_the_federation_plays_a_run_with_everybody(
    cluster: Cluster, demo: Demo
) -> None:
    set_up(cluster, demo)
    name = f"operated-{int(time.time())}"
    file = demo.altered(cluster.work / "operated.yaml", {"count": 2, "quorum": len(SITES)})
    digest, coordinator = people.submit(cluster, file, name)
    for site in SITES:
        cluster.approve(site, digest)
    sites = [people.submit_site(cluster, site, name) for site in SITES]
    assert set(kubeflow.wait(cluster.kubeflow, [coordinator, *sites], 900).values()) == {"SUCCEEDED"}
    rounds = people.status(cluster, name)["rounds"]
    trained = [each for each in rounds if each["status"] == "completed"]
    assert [sorted(each["accepted"]) for each in trained] == [sorted(SITES)] * 2


def _opens(credential: dict[str, bytes], site: str = SITE) -> bool:
    """Whether the exchange lets somebody look into the hospital's bucket."""
    try:
        list(s3(credential).list_objects(bucket_name=Layout(FEDERATION).site(site)))
    except S3Error as error:
        assert error.code in ("AccessDenied", "InvalidAccessKeyId")
        return False
    return True


def _reader() -> str:
    """How the hospital's people log in to MLflow."""
    return basic(secret(COORDINATOR, f"wardround-mlflow-reader-{SITE}"))


def _is_refused_soon(reader: str) -> None:
    refused = "refused: HTTP 401"
    eventually(lambda: inside.requested(_LOOK, "GET", reader) == refused, "a login's end", 90)
