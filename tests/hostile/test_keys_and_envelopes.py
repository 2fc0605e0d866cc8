"""Keys that prove nothing, signatures with two spellings, and bytes that cost more than they are worth."""

import base64
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wardround.errors import ConfigurationError, RefusedError
from wardround.exchange import messages
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.envelope import Binding, PublicKey, SigningKey, canonical, open_envelope, seal
from wardround.exchange.errors import OversizedError
from wardround.exchange.messages import (
    DeclinedMessage,
    JoinMessage,
    Message,
    OutcomeMessage,
    Refusal,
    RunMessage,
    UpdateMessage,
)
from wardround.exchange.records import Channel, Peer

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
KEY = SigningKey.generate()
DIGEST = "0123456789abcdef" * 4
BINDING = Binding(federation="chest", run="r1", round=3, plan_digest=DIGEST)
PREFIX = b"wardround-envelope-v1\0"
LARGE = 8 << 20

# y of every point whose order divides 8, and p + y where that has 255 bits: the list of libsodium's
# `ge25519_has_small_order` (Chalkias et al. 2020, "Taming the many EdDSAs", table 6). Each with both signs of x.
SMALL_ORDER_Y = [
    0,
    1,
    int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    ),
    int.from_bytes(
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
    ),
    P - 1,
    P,
    P + 1,
]
SMALL_ORDER = [(y | sign << 255).to_bytes(32, "little").hex() for y in SMALL_ORDER_Y for sign in (0, 1)]

Point = tuple[int, int]


def add(first: Point, second: Point) -> Point:
    """The sum of two points of the curve, in affine coordinates (RFC 8032, section 5.1.4)."""
    (x1, y1), (x2, y2) = first, second
    k = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P,
    )


def point(text: str) -> Point:
    number = int.from_bytes(bytes.fromhex(text), "little")
    y, sign = number % 2**255, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square
    return (P - x if x % 2 != sign else x), y


def encoded(p: Point) -> str:
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little").hex()


def refused(text: str) -> str:
    with pytest.raises(RefusedError) as refusal:
        PublicKey(text)
    return refusal.value.code


@pytest.mark.parametrize("text", SMALL_ORDER)
def test_a_key_of_small_order_is_refused_in_every_spelling(text: str) -> None:
    assert refused(text) == "weak-key"


def test_the_neutral_key_would_have_accepted_one_signature_for_everything() -> None:
    """Why they are refused: OpenSSL takes this key, and with it the signature that anybody can write down."""
    neutral, signature = bytes([1]) + bytes(31), bytes([1]) + bytes(63)
    for message in (b"", b"anything", b"signed by nobody"):
        Ed25519PublicKey.from_public_bytes(neutral).verify(signature, message)
    assert refused(neutral.hex()) == "weak-key"


@pytest.mark.parametrize("torsion", range(1, 8))
def test_a_key_with_a_part_of_small_order_is_refused(torsion: int) -> None:
    eighth = point("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
    mixed = point(KEY.public.text)
    for _ in range(torsion):
        mixed = add(mixed, eighth)
    assert refused(encoded(mixed)) == "weak-key"
    for _ in range(8 - torsion):
        mixed = add(mixed, eighth)
    assert encoded(mixed) == KEY.public.text


@given(st.integers(P, 2**255 - 1), st.booleans())
@example(P, False)
@example(2**255 - 1, True)
def test_a_key_with_y_of_p_or_more_is_refused(y: int, sign: bool) -> None:
    assert refused((y | sign << 255).to_bytes(32, "little").hex()) == "weak-key"


@given(st.integers(0, 2**256 - 1))
@settings(max_examples=60)
def test_of_arbitrary_bytes_no_key_of_another_order_is_taken(number: int) -> None:
    text = number.to_bytes(32, "little").hex()
    try:
        PublicKey(text)
    except RefusedError as error:
        assert error.code == "weak-key"
        return
    total, power = (0, 1), point(text)
    for bit in reversed(bin(L)[2:]):
        total = add(total, power) if bit == "1" else total
        power = add(power, power)
    assert total == (0, 1) and point(text) != (0, 1)


@given(st.just(None))
@settings(max_examples=30)
def test_every_key_that_is_made_as_the_standard_says_is_taken(_: None) -> None:
    key = SigningKey.generate()
    assert PublicKey(key.public.text).accepts(key.sign(b"m"), b"m")


def test_a_signature_plus_the_order_of_the_group_is_refused() -> None:
    signature = KEY.sign(b"m")
    second = int.from_bytes(signature[32:], "little") + L
    assert not KEY.public.accepts(signature[:32] + second.to_bytes(32, "little"), b"m")


def test_a_list_of_members_with_text_that_is_no_key_is_malformed() -> None:
    for text in ("", "x" * 64, DIGEST.upper(), DIGEST + "\n", "0" * 65):
        with pytest.raises(ValidationError):
            messages.FederationMessage(name="chest", coordinator=KEY.public.text, members={"alder": text})


def document(payload: Any = None, **changes: Any) -> dict[str, Any]:
    """The content of an envelope, not yet signed."""
    return {
        "version": 1,
        "kind": "update",
        "signer": "alder",
        "binding": BINDING.model_dump(),
        "tensors": {},
        "payload": {} if payload is None else payload,
    } | changes


def signed(body: bytes, key: SigningKey = KEY) -> bytes:
    """Bytes of any spelling, with a signature over exactly them where an envelope has its own."""
    signature = base64.b64encode(key.sign(PREFIX + body))
    at = body.rindex(b',"signer":"')
    return body[:at] + b',"signature":"' + signature + b'"' + body[at:]


def refusal(data: bytes, **changes: Any) -> str:
    expected = {"kind": "update", "binding": BINDING, "signer": "alder", "public_key": KEY.public}
    with pytest.raises(RefusedError) as error:
        open_envelope(data, **(expected | changes))
    return error.value.code


@pytest.mark.parametrize("last", "BCDEFGHPRXYZabcfhvxz0189+/")
def test_a_signature_in_base64_with_bits_to_spare_is_refused(last: str) -> None:
    """16 last digits stand for the same byte; one of them is the spelling, the others would be other bytes."""
    data = signed(canonical(document()))
    at = data.index(b'"signature":"') + len(b'"signature":"')
    assert refusal(data[: at + 85] + last.encode() + data[at + 86 :]) == "malformed"


@given(st.binary(min_size=64, max_size=64))
def test_a_signature_has_exactly_one_spelling(raw: bytes) -> None:
    text = base64.b64encode(raw)
    data = signed(canonical(document()))
    at = data.index(b'"signature":"') + len(b'"signature":"')
    for digit in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/":
        spelled = text[:85] + bytes([digit]) + b"=="
        code = refusal(data[:at] + spelled + data[at + 88 :])
        assert code == ("forged-signature" if spelled == text or digit in b"AQgw" else "malformed")


# What its own signer may not spell either. Each with a signature that holds.
SPELLINGS = {
    "a space": (b'"payload":{}', b'"payload": {}'),
    "a key twice": (b'"payload":{}', b'"payload":{},"payload":{}'),
    "a key twice inside": (b'"payload":{}', b'"payload":{"a":1,"a":2}'),
    "a key out of order": (b'"payload":{}', b'"payload":{"b":1,"a":2}'),
    "not a number": (b'"payload":{}', b'"payload":{"a":NaN}'),
    "infinity": (b'"payload":{}', b'"payload":{"a":Infinity}'),
    "a number that becomes infinite": (b'"payload":{}', b'"payload":{"a":1e999}'),
    "a number that becomes minus infinity": (b'"payload":{}', b'"payload":{"a":-1e999}'),
    "a leading zero": (b'"payload":{}', b'"payload":{"a":07}'),
    "a long float": (b'"payload":{}', b'"payload":{"a":1.00}'),
    "digits without end": (b'"payload":{}', b'"payload":{"a":' + b"9" * 100_000 + b"}"),
    "a lone surrogate": (b'"payload":{}', b'"payload":{"a":"\\ud800"}'),
    "half a pair of surrogates as a key": (b'"payload":{}', b'"payload":{"\\udc00":1}'),
    "an escape that is not needed": (b'"payload":{}', b'"payload":{"\\u0061":1}'),
    "bytes that are no UTF-8": (b'"payload":{}', b'"payload":{"a":"\xff"}'),
    "a surrogate in UTF-8": (b'"payload":{}', b'"payload":{"a":"\xed\xa0\x80"}'),
    "an overlong zero": (b'"payload":{}', b'"payload":{"a":"\xc0\x80"}'),
    "lists without end": (b'"payload":{}', b'"payload":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "objects without end": (b'"payload":{}', b'"payload":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "lists that do not close": (b'"payload":{}', b'"payload":' + b"[" * 100_000),
    "a list": (b'"payload":{}', b'"payload":[]'),
    "a second signature inside": (b'"payload":{}', b'"payload":{},"signature":"x"'),
    "a field more": (b'"payload":{}', b'"payload":{},"q":1'),
    "no kind": (b'"kind":"update",', b""),
    "a version of true": (b'"round":3', b'"round":true'),
    "a round of another type": (b'"round":3', b'"round":"3"'),
}


@pytest.mark.parametrize("what", SPELLINGS)
def test_another_spelling_is_malformed_although_its_signer_signed_it(what: str) -> None:
    old, new = SPELLINGS[what]
    body = canonical(document())
    assert old in body
    assert refusal(signed(body.replace(old, new))) == "malformed"


@pytest.mark.parametrize("what", SPELLINGS)
def test_another_spelling_that_nobody_signed_never_reaches_the_parser(what: str) -> None:
    old, new = SPELLINGS[what]
    body = canonical(document()).replace(old, new)
    assert refusal(signed(body, SigningKey.generate())) == "forged-signature"


def test_a_signature_that_stands_elsewhere_is_not_the_signature() -> None:
    """The place of the signature is fixed by the end of the bytes: text of the payload cannot move it."""
    inner = canonical(document() | {"signature": base64.b64encode(bytes(64)).decode()}).decode()
    for payload in ({"a": inner}, {inner: 1}, {"a": json.loads(inner)}, {"a": '","signature":"x'}):
        data = signed(canonical(document(payload)))
        assert (
            open_envelope(data, kind="update", binding=BINDING, signer="alder", public_key=KEY.public).payload
            == payload
        )
    cut = signed(canonical(document({"a": json.loads(inner)})))
    end = cut.index(b'"version":1}') + len(b'"version":1}')
    assert refusal(cut[:end]) in ("malformed", "forged-signature")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_bytes_around_an_envelope_are_refused(before: bytes, after: bytes) -> None:
    data = signed(canonical(document()))
    if before or after:
        assert refusal(before + data + after) in ("malformed", "forged-signature", "unknown-signer")


FILL = {
    "empty lists": b"[],",
    "empty objects": b"{},",
    "lists of a number": b"[1],",
    "short texts": b'"ab",',
    "small objects": b'{"a":1},',
    "numbers": b"0.1,",
    "nulls": b"null,",
}


def filled(fill: bytes, key: SigningKey, size: int = LARGE, **changes: Any) -> bytes:
    body = canonical(document({"a": []}, **changes))
    block = fill * (size // len(fill))
    return signed(body.replace(b'"a":[]', b'"a":[' + block[:-1] + b"]"), key)


@pytest.mark.parametrize("what", FILL)
def test_what_nobody_signed_costs_a_copy_of_itself_and_no_more(what: str) -> None:
    data = filled(FILL[what], SigningKey.generate())
    tracemalloc.start()
    assert refusal(data) == "forged-signature"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(data) + (1 << 20)


@pytest.mark.parametrize("what", ["empty lists", "empty objects", "lists of a number", "short texts"])
def test_a_signer_cannot_make_its_reader_build_millions_of_objects(what: str) -> None:
    data = filled(FILL[what], KEY)
    tracemalloc.start()
    assert refusal(data) == "malformed"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(data) + (1 << 20)


def test_more_files_than_anything_has_are_malformed() -> None:
    file = {"sha256": DIGEST, "size": 1}
    for count, code in ((256, None), (257, "malformed"), (20_000, "malformed")):
        data = signed(canonical(document(tensors={f"file-{n}": file for n in range(count)})))
        if code is None:
            open_envelope(data, kind="update", binding=BINDING, signer="alder", public_key=KEY.public)
        else:
            assert refusal(data) == code


def test_digits_of_a_size_have_an_end() -> None:
    body = canonical(document(tensors={"f": {"sha256": DIGEST, "size": 1}}))
    assert refusal(signed(body.replace(b'"size":1', b'"size":' + b"9" * 5000))) == "malformed"


@pytest.fixture
def channel() -> Channel:
    return Channel("chest", "r1", "alder", KEY, DIGEST)


SMALL = [kind for kind in Message.__subclasses__() if kind.limit <= 16 << 10 and hasattr(kind, "kind")]


@pytest.mark.parametrize("model", [JoinMessage, DeclinedMessage, UpdateMessage, messages.PresentMessage])
def test_a_site_cannot_make_the_coordinator_read_more_than_a_small_message(
    channel: Channel, model: type[Message], tmp_path: Path
) -> None:
    exchange = DirectoryExchange(tmp_path)
    exchange.create_bucket("wardround-chest-alder")
    store = exchange.store("wardround-chest-alder")
    number = 3 if model.kind in ("update", "present") else None
    store.put_new(channel.where(model, number), filled(b"[],", KEY, size=20_000, kind=model.kind))
    assert model in SMALL
    with pytest.raises(OversizedError):
        channel.read(store, model, Peer("alder", KEY.public), round=number)


def test_what_nobody_would_read_is_not_written(channel: Channel) -> None:
    refused = tuple(Refusal(site="alder", code="not-finite", detail="x" * 2000) for _ in range(4096))
    outcome = OutcomeMessage(status="completed", model=0, accepted=(), refused=refused, missing=())
    with pytest.raises(ConfigurationError) as error:
        channel.seal(outcome, round=3)
    assert error.value.code == "illegal-envelope"


TEXTS = ["\x1b[2J", "a\nb", "a\x00", "\u202eabc", "\u200b", "\ue000", "\u2028", "x" * 5000]
RUN = {
    "plan_digest": DIGEST,
    "epoch": 1,
    "rounds": 2,
    "quorum": 2,
    "deadline_s": 1.0,
    "join_deadline_s": 1.0,
    "evaluate_every": 1,
    "seed": 1,
    "started": "2026-05-01T10:00:00+00:00",
}
OUTCOME = {"status": "completed", "model": 1, "accepted": [], "refused": [], "missing": []}


def is_refused(model: type[Message], payload: dict[str, Any]) -> bool:
    data = seal(model.kind, payload, binding=BINDING, key=KEY, signer="alder")
    opened = open_envelope(data, kind=model.kind, binding=BINDING, signer="alder", public_key=KEY.public)
    try:
        opened.read(model)
    except RefusedError as error:
        assert error.code == "malformed"
        return True
    return False


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_does_something_is_refused_in_every_field_of_a_message(text: str) -> None:
    refused_one = {"site": "alder", "code": "not-finite", "detail": text}
    figures = {"measured": {"measurements": {text: 1.0}}}
    assert not is_refused(RunMessage, RUN) and not is_refused(OutcomeMessage, OUTCOME)
    assert is_refused(RunMessage, RUN | {"started": text})
    assert is_refused(OutcomeMessage, OUTCOME | {"refused": [refused_one]})
    assert is_refused(OutcomeMessage, OUTCOME | {"accepted": [text]})
    assert is_refused(OutcomeMessage, OUTCOME | {"declined": {"alder": text}})
    assert is_refused(OutcomeMessage, OUTCOME | {"declined": {text: "code"}})
    assert is_refused(OutcomeMessage, OUTCOME | {"seconds": {text: 1.0}})
    assert is_refused(OutcomeMessage, OUTCOME | figures)
    assert is_refused(OutcomeMessage, OUTCOME | {"measured": {"measurements": {"loss": text}}})
    assert is_refused(DeclinedMessage, {"site": "alder", "code": text})
    opened = {"purpose": "train", "model": 0, "cohort": []}
    assert is_refused(messages.RoundMessage, opened | {"aliases": {text: "a"}})
    assert is_refused(messages.RoundMessage, opened | {"aliases": {"a": text}})
    final = {"status": "finished", "rounds": 1, "last": 1, "champion": 1, "measure": text, "metric": None}
    assert is_refused(messages.FinalMessage, final)


@pytest.mark.parametrize("text", TEXTS)
def test_a_refusal_that_quotes_such_text_is_made_plain_when_it_is_written(text: str) -> None:
    written = Refusal(site="alder", code="wrong-tensors", detail=f"tensor {text!r} {text}")
    assert len(written.detail) <= 2000 and all(" " <= c <= "~" for c in written.detail)
    assert not is_refused(OutcomeMessage, OUTCOME | {"refused": [written.model_dump()]})


@pytest.mark.parametrize(
    "value",
    [10**30, -(2**64), "x" * 201, "\x1b", {"a": 1}, [[[[[1]]]]], [10**400], [[{"a": 1}]], ["\n"]],
    ids=lambda value: str(value)[:20],
)
def test_a_figure_that_is_no_number_of_this_machine_is_refused(value: Any) -> None:
    assert is_refused(OutcomeMessage, OUTCOME | {"measured": {"measurements": {"loss": value}}})


@pytest.mark.parametrize("value", [1, -0.5, None, True, [1, 2], [[[0.5]]], 2**64 - 1, "8 bit"])
def test_an_honest_figure_is_read(value: Any) -> None:
    assert not is_refused(OutcomeMessage, OUTCOME | {"measured": {"measurements": {"loss": value}}})


@pytest.mark.parametrize(
    "change",
    [
        {"rounds": 0},
        {"rounds": 1_000_000},
        {"quorum": 2**31},
        {"epoch": 2**70},
        {"seed": 2**63},
        {"seed": 1.0},
        {"deadline_s": 1e300},
        {"deadline_s": -1.0},
        {"plan_digest": DIGEST.upper()},
        {"started": "2026-05-01 10:00:00"},
        {"started": "2026-05-01T10:00:00Z"},
    ],
)
def test_a_run_out_of_any_range_is_refused(change: dict[str, Any]) -> None:
    assert is_refused(RunMessage, RUN | change)
