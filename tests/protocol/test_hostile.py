"""One site sends something hostile in every round. Each is refused with its reason, and every round goes on."""

import hashlib
import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from federation import Federation, World
from hand import HandSite

from wardround.exchange.envelope import SigningKey, TensorFile, canonical
from wardround.exchange.messages import FinalMessage, OutcomeMessage, UpdateMessage
from wardround.exchange.tensors import encode


def first_name(update: dict[str, np.ndarray]) -> str:
    """The largest training tensor."""
    return max((n for n in update if n.startswith("train/")), key=lambda name: update[name].size)


def wrong_shape(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    update = site.zeros(opened)
    name = first_name(update)
    update[name] = update[name].reshape(-1, 1)
    site.say(number, site.message(opened), site.upload(number, update))


def wrong_dtype(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    update = site.zeros(opened)
    name = first_name(update)
    update[name] = update[name].view(np.int32)
    site.say(number, site.message(opened), site.upload(number, update))


def missing_tensor(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    update = site.zeros(opened)
    del update[first_name(update)]
    site.say(number, site.message(opened), site.upload(number, update))


def not_a_number(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    update = site.zeros(opened)
    update[first_name(update)].flat[3] = np.nan
    site.say(number, site.message(opened), site.upload(number, update))


def huge_norm(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    update = site.zeros(opened)
    update[first_name(update)].flat[3] = 1e9
    site.say(number, site.message(opened), site.upload(number, update))


def oversized(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    update = site.zeros(opened) | {"train/extra": np.zeros(1 << 20, np.float32)}
    site.say(number, site.message(opened), site.upload(number, update))


def oversized_message(site: HandSite, number: int) -> None:
    site.wait_round(number)
    site.say_bytes(number, b"[" * (9 << 20))


def wrong_digest(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    files = site.upload(number, site.zeros(opened))
    site.say(number, site.message(opened), files, site.other(digest="f" * 64))


def foreign_run(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    files = site.upload(number, site.zeros(opened))
    sealed = site.other(run="another").seal(site.message(opened), number, files)
    site.say_bytes(number, sealed)


def replayed_round(site: HandSite, number: int) -> None:
    site.wait_round(number)
    site.say_bytes(number, site.own.get(site.channel.where(UpdateMessage, number - 1), limit=1 << 20))


def other_broadcast(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    message = site.message(opened).model_copy(update={"broadcast": "0" * 64})
    site.say(number, message, site.upload(number, site.zeros(opened)))


def forged_signature(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    files = site.upload(number, site.zeros(opened))
    site.say(number, site.message(opened), files, site.other(key=SigningKey.generate()))


def altered_after_signing(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    files = site.upload(number, site.zeros(opened))
    document = json.loads(site.channel.seal(site.message(opened), number, files))
    document["payload"]["broadcast"] = "1" * 64
    site.say_bytes(number, canonical(document))


def in_anothers_name(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    files = site.upload(number, site.zeros(opened))
    site.say_bytes(number, site.other(me="alder").seal(site.message(opened), number, files))


def path_trick(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    files = site.upload(number, site.zeros(opened))
    document = json.loads(site.channel.seal(site.message(opened), number, files))
    ((_, file),) = document["tensors"].items()
    document["tensors"] = {"../../../../etc/passwd": file}
    site.say_bytes(number, sign_again(site, document))


def name_of_another_file(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    (file,) = site.upload(number, site.zeros(opened)).values()
    site.say(number, site.message(opened), {"update.json": file})


def truncated(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    data = encode(site.zeros(opened))[:-8]
    site.say(number, site.message(opened), put_raw(site, number, data))


def shorter_than_committed(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    data = encode(site.zeros(opened))
    site.say(number, site.message(opened), put_raw(site, number, data[:-8], committed=data))


def file_is_not_there(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    data = encode(site.zeros(opened) | {"train/other": np.ones(1)})
    file = TensorFile(sha256=hashlib.sha256(data).hexdigest(), size=len(data) - 8)
    site.say(number, site.message(opened), {f"update-{file.sha256[:16]}.safetensors": file})


def no_json(site: HandSite, number: int) -> None:
    site.wait_round(number)
    site.say_bytes(number, b"\x80\x04\x95pickle?")


def extra_field(site: HandSite, number: int) -> None:
    opened = site.wait_round(number)
    files = site.upload(number, site.zeros(opened))
    document = json.loads(site.channel.seal(site.message(opened), number, files))
    document["payload"]["please"] = "run this"
    site.say_bytes(number, sign_again(site, document))


def put_raw(
    site: HandSite, number: int, data: bytes, committed: bytes | None = None
) -> dict[str, TensorFile]:
    """Uploads bytes under the name of those that will be committed."""
    whole = data if committed is None else committed
    file = TensorFile(sha256=hashlib.sha256(whole).hexdigest(), size=len(whole))
    name = f"update-{file.sha256[:16]}.safetensors"
    site.own.put_new(site.channel.keys.round_file(number, name), data)
    return {name: file}


def sign_again(site: HandSite, document: dict[str, object]) -> bytes:
    """The bytes of an envelope that `seal` would not make, with a good signature."""
    import base64

    body = {name: value for name, value in document.items() if name != "signature"}
    signature = site.channel.key.sign(b"wardround-envelope-v1\0" + canonical(body))
    return canonical(body | {"signature": base64.b64encode(signature).decode()})


TRICKS: tuple[tuple[Callable[[HandSite, int], None], str], ...] = (
    (wrong_shape, "wrong-shape"),
    (wrong_dtype, "wrong-dtype"),
    (missing_tensor, "wrong-tensors"),
    (not_a_number, "not-finite"),
    (huge_norm, "norm-bound"),
    (oversized, "oversized"),
    (oversized_message, "oversized"),
    (wrong_digest, "wrong-digest"),
    (replayed_round, "replayed-round"),
    (foreign_run, "foreign-run"),
    (other_broadcast, "wrong-broadcast"),
    (forged_signature, "forged-signature"),
    (altered_after_signing, "forged-signature"),
    (in_anothers_name, "unknown-signer"),
    (path_trick, "malformed"),
    (name_of_another_file, "illegal-name"),
    (truncated, "truncated"),
    (shorter_than_committed, "wrong-hash"),
    (file_is_not_there, "missing-file"),
    (no_json, "malformed"),
    (extra_field, "malformed"),
)


@pytest.fixture(scope="module")
def outcomes(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OutcomeMessage, ...]]:
    """The outcomes of a run in which cedar plays all tricks, one a round."""
    federation = Federation(world, "hostile", changes={"rounds": len(TRICKS)})
    cedar = HandSite(federation, "cedar", tmp_path_factory.mktemp("cedar"))
    actors = federation.start_all(("alder", "birch"))
    try:
        cedar.join()
        for number, (trick, _) in enumerate(TRICKS, 1):
            trick(cedar, number)
        cedar.answer(len(TRICKS) + 1)
        assert [actor.wait() for actor in actors] == [0, 0, 0]
        yield federation.outcomes()
        final = federation.view.channel.read(federation.view.shared, FinalMessage, federation.view.me).message
        assert final.status == "finished"
    finally:
        federation.close()


@pytest.mark.parametrize(
    ("number", "code"),
    [(n, code) for n, (_, code) in enumerate(TRICKS, 1)],
    ids=[trick.__name__ for trick, _ in TRICKS],
)
def test_a_hostile_update_is_refused_with_its_reason_and_the_round_goes_on(
    outcomes: tuple[OutcomeMessage, ...], number: int, code: str
) -> None:
    outcome = outcomes[number - 1]
    assert outcome.status == "completed"
    assert outcome.accepted == ("alder", "birch")
    assert [(refusal.site, refusal.code) for refusal in outcome.refused] == [("cedar", code)]
    assert outcome.refused[0].detail


def test_a_refusal_names_site_tensor_value_and_what_is_legal(outcomes: tuple[OutcomeMessage, ...]) -> None:
    detail = outcomes[0].refused[0].detail
    assert detail.startswith("cedar: ")
    assert "train/" in detail and "legal" in detail


def test_the_hostile_sites_honest_answer_counts_afterwards(outcomes: tuple[OutcomeMessage, ...]) -> None:
    assert outcomes[-1].status == "evaluated"
    assert outcomes[-1].accepted == ("alder", "birch", "cedar")
