"""Secrets on a real Kubernetes API: made once, whoever is first; never replaced; nothing of them in an error."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from kubernetes import client

from wardround.cluster.connect import Cluster, connect
from wardround.cluster.errors import ClusterDeniedError, ClusterError, NoClusterError
from wardround.cluster.secrets import Secrets
from wardround.cluster.signing_key import keep_signing_key
from wardround.errors import ConfigurationError
from wardround.exchange.envelope import SigningKey

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        found = connect(f"site-chart-secrets-{uuid.uuid4().hex[:6]}")
        api = client.CoreV1Api(found.api)
        api.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=found.namespace)))
    except NoClusterError as error:
        pytest.skip(f"no cluster: {error}")
    yield found
    api.delete_namespace(found.namespace)


@pytest.fixture
def secrets(cluster: Cluster) -> Secrets:
    return Secrets(cluster)


def test_a_secret_is_made_once_and_stays_as_it_is(secrets: Secrets) -> None:
    assert secrets.read("once") is None
    first = secrets.create_if_absent("once", lambda: {"a": b"\0\xff"}, annotations={"why": "test"})
    again = secrets.create_if_absent("once", lambda: {"a": b"other"})
    assert (first.created, again.created) == (True, False)
    assert first.content == again.content == {"a": b"\0\xff"}
    assert again.annotations["why"] == "test"


def test_of_several_writers_at_once_one_makes_it_and_all_get_its_content(secrets: Secrets) -> None:
    start = threading.Barrier(8)

    def write(number: int) -> tuple[bool, bytes]:
        start.wait()
        stored = secrets.create_if_absent("raced", lambda: {"n": str(number).encode()})
        return stored.created, stored.content["n"]

    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(write, range(8))]
    assert sum(created for created, _ in results) == 1
    assert len({content for _, content in results}) == 1


def test_a_patch_changes_and_removes_single_keys(secrets: Secrets) -> None:
    secrets.create_if_absent("patched", lambda: {"keep": b"1", "change": b"2", "remove": b"3"})
    stored = secrets.patch("patched", {"change": b"4", "remove": None}, annotations={"rotated": "now"})
    assert stored.content == {"keep": b"1", "change": b"4"}
    assert secrets.read("patched") == stored
    assert stored.annotations["rotated"] == "now"


def test_what_is_not_there_cannot_be_patched_and_no_message_holds_content(secrets: Secrets) -> None:
    with pytest.raises(ClusterError, match="HTTP 404") as absent:
        secrets.patch("absent", {"a": b"top-secret"})
    with pytest.raises(ClusterError, match="HTTP 422") as illegal:
        secrets.create_if_absent("illegal", lambda: {"not a key": b"top-secret"})
    for caught in (absent, illegal):
        assert "top-secret" not in str(caught.value)
        assert "dG9wLXNlY3JldA" not in str(caught.value)


def test_an_account_without_rights_is_told_which_one_it_lacks(cluster: Cluster) -> None:
    core = client.CoreV1Api(cluster.api)
    account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="nobody"))
    core.create_namespaced_service_account(cluster.namespace, account)
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)
    )
    token = core.create_namespaced_service_account_token("nobody", cluster.namespace, request).status.token
    settings = client.Configuration()
    settings.host, settings.ssl_ca_cert = (
        cluster.api.configuration.host,
        cluster.api.configuration.ssl_ca_cert,
    )
    settings.api_key = {"authorization": f"Bearer {token}"}
    nobody = Secrets(Cluster(client.ApiClient(settings), cluster.namespace))
    with pytest.raises(ClusterDeniedError, match=r"get Secret 'once' in namespace .* \(HTTP 403\)"):
        nobody.read("once")


def test_a_signing_key_is_made_once_and_its_public_half_is_told_each_time(secrets: Secrets) -> None:
    made, found = keep_signing_key(secrets, "key"), keep_signing_key(secrets, "key")
    assert (made.created, found.created) == (True, False)
    assert made.public == found.public
    stored = secrets.read("key")
    assert stored is not None and stored.content["public.txt"].decode() == made.public.text
    assert SigningKey.from_pem(stored.content["key.pem"], "here").public == made.public


def test_a_secret_with_something_else_in_it_is_never_written_over(secrets: Secrets) -> None:
    secrets.create_if_absent("mine", lambda: {"password": b"top-secret"})
    with pytest.raises(ConfigurationError, match=r"there is no key\.pem"):
        keep_signing_key(secrets, "mine")
    secrets.create_if_absent("broken", lambda: {"key.pem": b"top-secret"})
    with pytest.raises(ConfigurationError, match="not an unencrypted Ed25519") as caught:
        keep_signing_key(secrets, "broken")
    assert "top-secret" not in str(caught.value)
