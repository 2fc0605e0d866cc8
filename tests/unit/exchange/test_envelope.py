"""Envelopes: what was signed is read back; everything else is refused with its reason."""

import base64
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from wardround.errors import ConfigurationError, RefusedError
from wardround.exchange.envelope import (
    Binding,
    Envelope,
    PublicKey,
    SigningKey,
    TensorFile,
    canonical,
    open_envelope,
    seal,
)

DIGEST = "0123456789abcdef" * 4
KEY = SigningKey.generate()
BINDING = Binding(federation="chest", run="r1", round=3, plan_digest=DIGEST)
TENSORS = {"update.safetensors": TensorFile(sha256=DIGEST, size=5)}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


class Update(BaseModel):
    model_config = ConfigDict(frozen=True)

    examples: int
    losses: tuple[float, ...] = ()


def sealed(payload: Any = None, key: SigningKey = KEY) -> bytes:
    content = Update(examples=7) if payload is None else payload
    return seal("update", content, binding=BINDING, key=key, signer="hannover", tensors=TENSORS)


def opened(data: bytes, **changes: Any) -> Envelope:
    expected = {"kind": "update", "binding": BINDING, "signer": "hannover", "public_key": KEY.public}
    return open_envelope(data, **(expected | changes))


def refusal(data: bytes, **changes: Any) -> str:
    with pytest.raises(RefusedError) as error:
        opened(data, **changes)
    return error.value.code


def altered(**changes: Any) -> bytes:
    return canonical(json.loads(sealed()) | changes)


def resigned(**changes: Any) -> bytes:
    """A document that the right key did sign, whatever is in it."""
    body = {name: value for name, value in (json.loads(sealed()) | changes).items() if name != "signature"}
    signature = KEY.sign(b"wardround-envelope-v1\0" + canonical(body))
    return canonical(body | {"signature": base64.b64encode(signature).decode()})


def test_what_was_sealed_is_read_back() -> None:
    envelope = opened(sealed(Update(examples=7, losses=(0.5, 1e-7))))
    assert envelope.read(Update) == Update(examples=7, losses=(0.5, 1e-7))
    assert envelope.tensor("update.safetensors") == TENSORS["update.safetensors"]
    assert envelope.binding == BINDING


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=9), JSON, max_size=5))
def test_any_json_object_survives_unchanged(payload: dict[str, Any]) -> None:
    assert opened(sealed(payload)).payload == payload


def test_sealing_again_gives_the_same_bytes() -> None:
    assert sealed() == sealed()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "broadcast"}, "wrong-kind"),
        ({"signer": "berlin"}, "unknown-signer"),
        ({"public_key": None}, "unknown-signer"),
        ({"public_key": SigningKey.generate().public}, "forged-signature"),
        ({"binding": BINDING.model_copy(update={"federation": "other"})}, "foreign-federation"),
        ({"binding": BINDING.model_copy(update={"run": "r2"})}, "foreign-run"),
        ({"binding": BINDING.model_copy(update={"run": None})}, "foreign-run"),
        ({"binding": BINDING.model_copy(update={"round": 4})}, "replayed-round"),
        ({"binding": BINDING.model_copy(update={"round": None})}, "replayed-round"),
        ({"binding": BINDING.model_copy(update={"plan_digest": "f" * 64})}, "wrong-digest"),
    ],
)
def test_an_envelope_that_is_about_something_else_is_refused(change: dict[str, Any], code: str) -> None:
    assert refusal(sealed(), **change) == code


@pytest.mark.parametrize(
    "change",
    [
        {"payload": {"examples": 8}},
        {"kind": "join"},
        {"binding": BINDING.model_copy(update={"round": 4}).model_dump()},
        {"tensors": {}},
        {"tensors": {"update.safetensors": {"sha256": "f" * 64, "size": 5}}},
        {"signature": base64.b64encode(bytes(64)).decode()},
    ],
)
def test_no_part_can_be_changed_after_signing(change: dict[str, Any]) -> None:
    assert refusal(altered(**change)) == "forged-signature"


def test_a_signature_over_the_same_bytes_without_the_prefix_is_refused() -> None:
    body = {name: value for name, value in json.loads(sealed()).items() if name != "signature"}
    signature = base64.b64encode(KEY.sign(canonical(body))).decode()
    assert refusal(canonical(body | {"signature": signature})) == "forged-signature"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": True},
        {"extra": 1},
        {"kind": "Update"},
        {"signer": "../x"},
        {"signer": "hannover\n"},
        {"payload": []},
        {"tensors": {"../x": {"sha256": DIGEST, "size": 5}}},
        {"tensors": {"x": {"sha256": DIGEST, "size": -1}}},
        {"tensors": {"x": {"sha256": DIGEST, "size": 1.0}}},
        {"tensors": {"x": {"sha256": DIGEST, "size": 1, "more": 1}}},
        {"binding": BINDING.model_dump() | {"round": "3"}},
        {"binding": BINDING.model_dump() | {"round": -1}},
        {"binding": BINDING.model_dump() | {"site": "x"}},
        {"binding": {"federation": "chest"} | {"run": {"$": 1}}},
    ],
)
def test_a_signed_document_of_another_form_is_malformed(change: dict[str, Any]) -> None:
    assert refusal(resigned(**change)) == "malformed"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf" + sealed(),
        sealed() + b" ",
        sealed() + b"x",
        sealed().replace(b"{", b"{ ", 1),
        sealed().replace(b'"version":1', b'"version":1,"version":1'),
        sealed().replace(b'"version":1', b'"version":1.0'),
        sealed().decode().encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 5000 + b"]" * 5000,
        b"9" * 100_000,
    ],
    ids=lambda data: (
        f"{len(data)} bytes"
    ),  # and not the bytes themselves: each process signs with another key
)
def test_other_spellings_and_other_bytes_are_malformed(data: bytes) -> None:
    assert refusal(data) == "malformed"


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"1e999", b"9" * 5000, b"07", b'"\\ud800"'])
def test_another_spelling_of_the_payload_is_malformed_if_it_is_signed_and_forged_if_not(value: bytes) -> None:
    data = sealed().replace(b'"examples":7', b'"examples":' + value)
    assert refusal(data) == "forged-signature"
    body = re.sub(rb',"signature":"[^"]+"', b"", data)
    signature = base64.b64encode(KEY.sign(b"wardround-envelope-v1\0" + body))
    assert refusal(re.sub(rb'(?<="signature":")[^"]+', signature, data)) == "malformed"


@given(st.binary(max_size=300))
@example(b"\x00")
def test_arbitrary_bytes_are_malformed_and_nothing_else(data: bytes) -> None:
    assert refusal(data) == "malformed"


@given(JSON)
def test_arbitrary_json_is_malformed_and_nothing_else(value: Any) -> None:
    assert refusal(canonical(value)) == "malformed"


@given(st.integers(0, len(sealed()) - 1), st.integers(0, 255))
def test_no_byte_of_an_envelope_can_be_changed(at: int, byte: int) -> None:
    data = bytearray(sealed())
    if data[at] == byte:
        return
    data[at] = byte
    assert refusal(bytes(data)) in ("malformed", "forged-signature", "unknown-signer")


@given(st.integers(0, len(sealed()) - 1))
def test_no_part_of_an_envelope_is_an_envelope(end: int) -> None:
    assert refusal(sealed()[:end]) == "malformed"


@pytest.mark.parametrize(
    "payload", [{}, {"examples": "7"}, {"examples": 7, "name": "x"}, {"examples": 7.5}, {"examples": None}]
)
def test_a_payload_that_does_not_fit_its_model_is_malformed(payload: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as error:
        opened(sealed(payload)).read(Update)
    assert error.value.code == "malformed"


def test_a_refused_payload_is_not_quoted() -> None:
    with pytest.raises(RefusedError) as error:
        opened(sealed({"examples": "Miller^Anna"})).read(Update)
    assert "Miller" not in f"{error.value} {error.value.__cause__} {error.value.__suppress_context__}"


def test_a_file_that_is_not_committed_is_refused() -> None:
    with pytest.raises(RefusedError):
        opened(sealed()).tensor("other.safetensors")


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("Bad Kind", {}),
        ("k", {"x": float("nan")}),
        ("k", {"x": {1, 2}}),
        ("k", {"x": "\ud800"}),
    ],
)
def test_what_could_not_be_opened_is_not_sealed(kind: str, payload: Any) -> None:
    with pytest.raises(ConfigurationError):
        seal(kind, payload, binding=BINDING, key=KEY, signer="hannover")


def test_a_key_is_kept_in_a_file_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    KEY.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.load(path).public == KEY.public
    with pytest.raises(ConfigurationError, match="never overwritten"):
        SigningKey.generate().save(path)
    assert SigningKey.load(path).public == KEY.public


def test_a_key_never_shows_itself() -> None:
    assert "Ed25519" not in repr(KEY)
    assert KEY.public.text not in repr(KEY)


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    for path in (tmp_path / "key.pem", tmp_path / "missing.pem", tmp_path):
        with pytest.raises(ConfigurationError, match=str(path)):
            SigningKey.load(path)


@given(st.text())
def test_arbitrary_text_is_no_public_key(text: str) -> None:
    with pytest.raises(RefusedError):
        PublicKey(text)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=70))
def test_arbitrary_bytes_are_no_public_key_or_one_that_accepts_nothing_arbitrary(
    raw: bytes, signature: bytes
) -> None:
    try:
        key = PublicKey(raw.hex())
    except RefusedError as error:
        assert error.code == "weak-key"
        return
    assert not key.accepts(signature, b"message")
