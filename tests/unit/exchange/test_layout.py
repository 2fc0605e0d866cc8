"""Names: what is legal, what is not, and that keys can be read back."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.errors import ConfigurationError, RefusedError, WardroundError
from wardround.exchange.layout import (
    LAST_ROUND,
    Layout,
    RunKeys,
    check_bucket,
    check_digest,
    check_key,
    check_prefix,
    plan_key,
)

DIGEST = "0123456789abcdef" * 4
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
TRICKS = [
    "",
    "..",
    "../x",
    "a/b",
    "a\0",
    "a\n",
    "ä",
    "A",
    "-a",
    "a-",
    "a_b",
    "a.b",
    " a",
    "ａ",
    "１",
    "a" * 64,
]


@pytest.mark.parametrize("name", TRICKS)
def test_a_name_that_is_no_dns_label_is_refused_everywhere(name: str) -> None:
    for use in (
        lambda: Layout(name),
        lambda: Layout("x").site(name),
        lambda: RunKeys(name),
        lambda: check_bucket(name),
    ):
        with pytest.raises(ConfigurationError) as refusal:
            use()
        assert refusal.value.code == "illegal-name"


def test_the_buckets_are_those_of_the_design() -> None:
    layout = Layout("chest")
    assert layout.federation == "wardround-chest"
    assert layout.site("hannover") == "wardround-chest-hannover"
    assert layout.coordinator == "wardround-chest-coordinator"


def test_a_site_cannot_be_called_coordinator() -> None:
    with pytest.raises(ConfigurationError, match="coordinator"):
        Layout("x").site("coordinator")


def test_a_bucket_is_never_longer_than_s3_allows() -> None:
    layout = Layout("f" * 41)
    assert len(layout.coordinator) == 63
    assert len(layout.site("s" * 11)) == 63
    for use in (lambda: Layout("f" * 42), lambda: layout.site("s" * 12)):
        with pytest.raises(ConfigurationError):
            use()


@given(LABELS, LABELS.filter(lambda name: name != "coordinator"))
def test_every_bucket_of_legal_names_is_a_legal_bucket(federation: str, site: str) -> None:
    layout = Layout(federation)
    for bucket in (layout.federation, layout.coordinator, layout.site(site)):
        assert check_bucket(bucket) == bucket


def test_the_keys_are_those_of_the_design() -> None:
    keys = RunKeys("r1")
    assert keys.description == "runs/r1/run.json"
    assert keys.join == "runs/r1/join.json"
    assert keys.final == "runs/r1/final.json"
    assert keys.round_file(1, "update.json") == "runs/r1/rounds/000001/update.json"
    assert plan_key(DIGEST, "graphs/work.pb") == f"plans/{DIGEST}/graphs/work.pb"


@given(LABELS, st.integers(0, LAST_ROUND))
def test_a_round_is_read_back_from_its_keys(run: str, number: int) -> None:
    keys = RunKeys(run)
    assert keys.round_of(keys.round_file(number, "update.json")) == number
    assert keys.round_of(keys.round_prefix(number)) == number


@given(LABELS, st.text(string.printable + "é٣") | st.from_regex(r"runs/[a-z]+/rounds/[0-9]{5,7}/?.*"))
def test_no_other_text_is_taken_for_a_round(run: str, key: str) -> None:
    found = RunKeys(run).round_of(key)
    assert (found is not None) == bool(re.match(rf"runs/{run}/rounds/[0-9]{{6}}/", key, re.ASCII))


@pytest.mark.parametrize("number", [-1, LAST_ROUND + 1])
def test_a_round_without_a_key_is_refused(number: int) -> None:
    with pytest.raises(ConfigurationError):
        RunKeys("r").round_file(number, "x")


@given(st.text())
def test_a_key_is_legal_only_if_no_system_can_read_it_otherwise(key: str) -> None:
    try:
        assert check_key(key) == key
    except RefusedError:
        return
    parts = key.split("/")
    assert key.isascii() and len(key) <= 512 and re.fullmatch(r"[A-Za-z0-9._/-]+", key)
    assert all(part and not part.startswith((".", "-")) for part in parts)


@given(
    st.from_regex(r"([A-Za-z0-9_][A-Za-z0-9._-]{0,9}/){0,4}[A-Za-z0-9_][A-Za-z0-9._-]{0,9}", fullmatch=True)
)
def test_every_key_of_legal_segments_is_legal(key: str) -> None:
    assert check_key(key) == check_prefix(key) == key
    assert check_prefix(f"{key}/") == f"{key}/"


@pytest.mark.parametrize("path", ["../../secret", "/etc/passwd", "graphs//x", "graphs/..", "a\\b", ".hidden"])
def test_a_path_that_leads_out_of_a_plan_is_refused(path: str) -> None:
    with pytest.raises(RefusedError):
        plan_key(DIGEST, path)


@pytest.mark.parametrize(
    "digest", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "../" + "0" * 61, "0" * 64 + "\n"]
)
def test_a_digest_that_is_none_is_refused(digest: str) -> None:
    with pytest.raises(WardroundError):
        check_digest(digest)
