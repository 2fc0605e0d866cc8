"""A manifest is written by somebody else: it is refused with a code, or it is consistent; nothing in between."""

import copy
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wardround.errors import RefusedError
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout, plan_key
from wardround.exchange.messages import DeclinedMessage, RunMessage
from wardround.exchange.records import Channel
from wardround.plan.consistency import SIGNATURES
from wardround.plan.format import Manifest, Plan, digest_of, parse_manifest
from wardround.plan.leaving import leaving
from wardround.plan.program import EVALUATIONS, Program
from wardround.site.context import take_seat
from wardround.site.plans import approved_plan
from wardround.site.settings import SiteSettings

ESCAPE, REVERSED, MARKUP = "\x1b[2J", "\u202egnp", "[link=http://x]"
Content = dict[str, Any]


@pytest.fixture(scope="module")
def honest(plan_folder: Path) -> Content:
    """The content of an honest `plan.json`."""
    return dict(json.loads((plan_folder / "plan.json").read_bytes()))


def written(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def leaf(content: Content, part: str, side: str, name: str, place: int = 0) -> Content:
    """One leaf of a part."""
    owner = content["train"].get(part) or content[part]
    return dict.__getitem__(owner[side], name)[place]  # type: ignore[no-any-return]


def every_leaf(content: Content, change: Callable[[Content], None]) -> None:
    """Changes a leaf wherever it stands, so that parts still agree with each other."""
    train = [part for role, part in content["train"].items() if role not in ("secure", "update_roles")]
    for part in [*train, content["weights_part"]]:
        for side in ("arguments", "results"):
            for leaves in part[side].values():
                for each in leaves:
                    change(each)


def rename_weights(content: Content, name: str) -> None:
    content["weights"][0]["name"] = name


def reshape_everywhere(content: Content, shape: list[Any]) -> None:
    def change(each: Content) -> None:
        if each["shape"] == [64, 2]:
            each["shape"] = shape

    every_leaf(content, change)
    content["weights"][0]["shape"] = shape
    content["predict"]["arguments"]["weights"][0]["shape"] = shape


def swap(items: list[Any]) -> None:
    items.reverse()


HOSTILE: dict[str, Callable[[Content], object]] = {
    "no element": lambda m: m.update(element=[]),
    "one element": lambda m: m["element"].pop(),
    "elements in another order": lambda m: swap(m["element"]),
    "an element of another size": lambda m: m["element"][0].update(shape=[None, 8, 9, 1]),
    "an element with a fixed batch": lambda m: m["element"][0].update(shape=[1, 8, 8, 1]),
    "an element of another dtype": lambda m: m["element"][0].update(dtype="float64"),
    "images and a third element": lambda m: m["element"].append(
        {"name": "x", "shape": [None], "dtype": "int32"}
    ),
    "a missing part": lambda m: m["train"].pop("work"),
    "a missing list of arguments": lambda m: m["train"]["work"]["arguments"].pop("broadcast"),
    "a missing list of results": lambda m: m["train"]["work"]["results"].pop("plain"),
    "a part without arguments": lambda m: m["train"]["update"].update(arguments={}),
    "a list of another name": lambda m: m["train"]["prepare"]["results"].update(more=[]),
    "no data set": lambda m: m["train"]["work"]["arguments"].update(dataset=[]),
    "a data set that is a tensor": lambda m: leaf(m, "work", "arguments", "dataset").update(
        kind="tensor", dtype="float32"
    ),
    "a tensor that is a variant": lambda m: leaf(m, "zero", "results", "sum").update(dtype="variant"),
    "two data sets": lambda m: m["train"]["work"]["arguments"]["dataset"].append(
        {**leaf(m, "work", "arguments", "dataset"), "name": "other"}
    ),
    "a negative shape": lambda m: leaf(m, "accumulate", "arguments", "update").update(shape=[-61, 2]),
    "a negative shape everywhere": lambda m: reshape_everywhere(m, [-61, 2]),
    "a huge shape everywhere": lambda m: reshape_everywhere(m, [2**20, 2**20]),
    "a shape whose product wraps to something small": lambda m: reshape_everywhere(m, [2**32, 2**32]),
    "a shape of nine sides": lambda m: reshape_everywhere(m, [1] * 7 + [64, 2]),
    "a side that is not a whole number": lambda m: reshape_everywhere(m, [64.5, 2]),
    "a side that is a truth value": lambda m: reshape_everywhere(m, [True, 2]),
    "an open side in the state": lambda m: reshape_everywhere(m, [None, 2]),
    "an open shape in what leaves": lambda m: leaf(m, "accumulate", "arguments", "update").update(shape=None),
    "text as a dtype": lambda m: every_leaf(m, lambda each: each.update(dtype="string")),
    "complex numbers": lambda m: leaf(m, "initialize", "results", "state").update(dtype="complex64"),
    "a state that prepare does not take": lambda m: m["train"]["prepare"]["arguments"]["state"].pop(),
    "a state of other shapes": lambda m: leaf(m, "update", "results", "state").update(shape=[3]),
    "a broadcast that work does not take": lambda m: leaf(m, "work", "arguments", "broadcast").update(
        name="other"
    ),
    "an update that accumulate does not take": lambda m: m["train"]["accumulate"]["arguments"][
        "update"
    ].pop(),
    "an update in another order": lambda m: swap(m["train"]["work"]["results"]["plain"]),
    "an update of other dtypes": lambda m: leaf(m, "work", "results", "plain").update(dtype="float64"),
    "a name that stands twice": lambda m: every_leaf(m, lambda each: each.update(name="same")),
    "two values for one tensor": lambda m: [
        each.update(tensor="same:0") for each in m["train"]["prepare"]["arguments"]["state"]
    ],
    "limits for nothing": lambda m: m["train"]["secure"].update(bits=[8]),
    "a limit of no bits": lambda m: m["train"]["secure"].update(bits=[0]),
    "a modulus of 2^64": lambda m: m["train"]["secure"].update(modulus=[2**64]),
    "a role for a leaf that is not summed": lambda m: m["train"]["update_roles"].update(correct="other"),
    "a role for two leaves": lambda m: m["train"]["update_roles"].update(correct="0/num_examples"),
    "a weight of many numbers": lambda m: m["train"]["update_roles"]["change"].update(
        weight="1/0", value=["2"]
    ),
    "an estimate that is no state": lambda m: m["train"]["update_roles"]["change"].update(
        clipping={"estimate": "x", "factor": 1.0, "plus": 0.0, "below": None, "ones": None, "count": None}
    ),
    "fewer weights": lambda m: m["weights"].pop(),
    "weights in another order": lambda m: swap(m["weights"]),
    "a weight of another shape": lambda m: m["weights"][0].update(shape=[2, 64]),
    "two weights of one name": lambda m: m["weights"][1].update(name=m["weights"][0]["name"]),
    "a weight's name with an escape": lambda m: rename_weights(m, f"dense/{ESCAPE}"),
    "a weight's name that reads backwards": lambda m: rename_weights(m, REVERSED),
    "a weight's name with markup": lambda m: rename_weights(m, MARKUP),
    "a weight's name of two lines": lambda m: rename_weights(m, "dense\nkernel"),
    "a weight's name that ends a line": lambda m: rename_weights(m, "dense/kernel\n"),
    "a weight without a name": lambda m: rename_weights(m, ""),
    "a weight's name of 300 letters": lambda m: rename_weights(m, "a" * 300),
    "letters that look like others": lambda m: rename_weights(m, "dense/kеrnel"),
    "a layer with an escape": lambda m: m["layers"][0].__setitem__(0, ESCAPE),
    "a kind of layer with markup": lambda m: m["layers"][0].__setitem__(1, MARKUP),
    "a layer of fewer than no weights": lambda m: m["layers"][0].__setitem__(2, -1),
    "a layer of 10^30 weights": lambda m: m["layers"][0].__setitem__(2, 10**30),
    "20,000 layers": lambda m: m.update(layers=[["a", "b", 0]] * 20_000),
    "20,000 tensors": lambda m: m["train"]["work"]["results"].update(
        plain=[{**leaf(m, "work", "results", "plain"), "name": str(n)} for n in range(20_000)]
    ),
    "a version with an escape": lambda m: m["versions"].update(tensorflow_cpu=ESCAPE),
    "the name of a version with an escape": lambda m: m["versions"].update({ESCAPE: "1"}),
    "a tensor's name that is a control input": lambda m: leaf(m, "work", "results", "plain").update(
        tensor="^a"
    ),
    "a tensor's name with a space": lambda m: leaf(m, "work", "results", "plain").update(tensor="a b:0"),
    "a tensor's name without output": lambda m: leaf(m, "work", "results", "plain").update(tensor="a"),
    "an initialize_op that is a control input": lambda m: m["train"]["work"].update(initialize_op="^a"),
    "a session_token with a line break": lambda m: m["train"]["work"].update(session_token="a:0\n"),
    "a graph elsewhere": lambda m: m["train"]["work"].update(file="graphs/../../x.pb"),
    "a graph of another part": lambda m: m["train"]["work"].update(file="graphs/update.pb"),
    "a graph of 3 GiB": lambda m: m["train"]["work"].update(bytes=3 << 30),
    "graphs of 3 GiB together": lambda m: [
        m["train"][role].update(bytes=700 << 20) for role in ("work", "update", "prepare", "zero", "merge")
    ],
    "a hash of letters": lambda m: m["train"]["work"].update(sha256="G" * 64),
    "a hash and a line break": lambda m: m["train"]["work"].update(sha256="0" * 64 + "\n"),
    "no predict for a model": lambda m: m.update(predict=None),
    "predict of other classes": lambda m: leaf(m, "predict", "results", "scores").update(shape=[None, 3]),
    "predict with a fixed batch": lambda m: leaf(m, "predict", "results", "scores").update(shape=[1, 2]),
    "predict in double precision": lambda m: leaf(m, "predict", "results", "scores").update(dtype="float64"),
    "predict of other weights": lambda m: swap(m["predict"]["arguments"]["weights"]),
    "predict that feeds images as a weight": lambda m: leaf(m, "predict", "arguments", "images").update(
        tensor=leaf(m, "predict", "arguments", "weights")["tensor"]
    ),
    "a recipe of nothing": lambda m: m.update(recipe={}),
    "a recipe with an endless number": lambda m: m["recipe"]["algorithm"].update(
        name="fedprox", proximal_strength=float("inf")
    ),
    "a recipe of other labels": lambda m: m["recipe"]["task"].update(labels=["a", "b", "c"]),
    "a recipe of another size": lambda m: m["recipe"]["task"]["image"].update(size=[16, 16]),
    "a recipe without a model": lambda m: m["recipe"].update(model=None),
    "an unknown key": lambda m: m.update(evaluate=None),
    "a format of text": lambda m: m.update(format="2"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_manifest_is_refused_for(what: str, honest: Content) -> None:
    content = copy.deepcopy(honest)
    HOSTILE[what](content)
    data = written(content)
    assert data != written(honest)
    with pytest.raises(RefusedError) as caught:
        parse_manifest(data)
    assert caught.value.code == "malformed"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"format":2,"recipe":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"format":NaN}',
        b'{"format":' + b"9" * 5000 + b"}",
        b'{"format":2,"layers":"\\ud800"}',
    ],
    ids=range(11),
)
def test_bytes_that_are_no_manifest_are_refused(data: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_manifest(data)
    assert caught.value.code == "malformed" or caught.value.code == "new-format"


def test_a_plan_of_the_format_before_is_told_to_be_compiled_again(honest: Content) -> None:
    with pytest.raises(RefusedError, match="Compile the recipe again") as caught:
        parse_manifest(written({**honest, "format": 1, "evaluate": None}))
    assert caught.value.code == "old-format"


def test_a_plan_of_a_format_to_come_asks_for_a_newer_wardround(honest: Content) -> None:
    with pytest.raises(RefusedError, match="update") as caught:
        parse_manifest(written({**honest, "format": 3}))
    assert caught.value.code == "new-format"


# --- generated variants ---------------------------------------------------------------------------------------

ODD = [
    None,
    True,
    0,
    -1,
    1,
    2,
    7,
    2**31,
    2**63,
    10**40,
    1.5,
    1e308,
    "",
    "x",
    ESCAPE,
    REVERSED,
    MARKUP,
    "a\x00b",
    "\ud800",
]
ODD += [
    "^a",
    "a:0",
    "int32",
    "string",
    "variant",
    "dataset",
    "graphs/work.pb",
    [],
    {},
    [[]],
    {"a": 1},
    [None],
    [-1],
    [2**62] * 9,
]


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in JSON."""
    inner = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    return [path] * bool(path) + [place for key, value in inner for place in places(value, (*path, key))]


def mutate(content: Content, path: tuple[Any, ...], how: str, odd: Any, other: Any) -> None:
    *way, key = path
    owner: Any = content
    for step in way:
        owner = owner[step]
    if how == "drop":
        del owner[key]
    elif how == "twice" and isinstance(owner, list):
        owner.insert(key, copy.deepcopy(owner[key]))
    elif how == "reverse" and isinstance(owner[key], list):
        owner[key].reverse()
    elif how == "extra" and isinstance(owner[key], dict):
        owner[key][str(odd)[:20]] = copy.deepcopy(odd)
    elif how == "borrow":
        owner[key] = copy.deepcopy(other)
    else:
        owner[key] = copy.deepcopy(odd)


def value_at(content: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        content = content[step]
    return content


def use(manifest: Manifest) -> None:
    """What everybody does with a manifest before any graph runs."""
    plan = Plan(folder=Path("nowhere"), digest="0" * 64, manifest=manifest)
    program = Program(plan)
    rows = leaving(plan)
    kinds = ("train", *EVALUATIONS)
    assert all(row.bytes >= 0 for row in rows)
    spec, limits = program.update_spec(kinds), program.limits(kinds)
    assert limits.keys() <= spec.keys() and all(limit > 0 for limit in limits.values())
    assert all(
        side >= 0 for each in [*spec.values(), *program.broadcast_spec.values()] for side in each.shape
    )
    assert {role for role, _ in manifest.roles()} <= SIGNATURES.keys()
    assert str([(row.name, row.meaning) for row in rows]).isascii()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_mutated_manifest_is_refused_or_still_consistent(honest: Content, data: st.DataObject) -> None:
    content = copy.deepcopy(honest)
    for _ in range(data.draw(st.integers(1, 3))):
        every = places(content)
        path = data.draw(st.sampled_from(every))
        how = data.draw(st.sampled_from(["drop", "twice", "reverse", "extra", "borrow", "odd"]))
        other = value_at(content, data.draw(st.sampled_from(every)))
        mutate(content, path, how, data.draw(st.sampled_from(ODD)), other)
    try:
        manifest = parse_manifest(written(content))
    except RefusedError as error:
        assert error.code in ("malformed", "old-format", "new-format") and str(error).isprintable()
        return
    use(manifest)


def test_an_honest_manifest_is_accepted(honest: Content) -> None:
    use(parse_manifest(written(honest)))


# --- a hospital declines --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what", ["no element", "a missing part", "a negative shape everywhere", "old format", "no JSON"]
)
def test_a_hospital_declines_a_published_plan_with_a_hostile_manifest(
    what: str, honest: Content, tmp_path: Path
) -> None:
    content = copy.deepcopy(honest)
    if what in HOSTILE:
        HOSTILE[what](content)
    data = (
        b"[" * 10_000
        if what == "no JSON"
        else written({**content, **({"format": 1} if what == "old format" else {})})
    )
    digest, code = digest_of(data), "old-format" if what == "old format" else "malformed"
    exchange = DirectoryExchange(tmp_path / "exchange")
    names = Layout("ward")
    for bucket in (names.federation, names.site("alder")):
        exchange.create_bucket(bucket)
    exchange.store(names.federation).put_new(plan_key(digest, "plan.json"), data)
    key = SigningKey.generate()
    key.save(tmp_path / "alder.pem")
    chosen = SiteSettings(
        federation="ward",
        site="alder",
        run="run",
        exchange=str(tmp_path / "exchange"),
        key_file=tmp_path / "alder.pem",
        coordinator_key=SigningKey.generate().public.text,
        work=tmp_path / "work",
        approved_digests=(digest,),
    )
    run = RunMessage(
        plan_digest=digest,
        epoch=1,
        rounds=2,
        quorum=2,
        deadline_s=60,
        join_deadline_s=60,
        evaluate_every=1,
        seed=1,
        started="2026-05-01T10:00:00+00:00",
    )
    seat = take_seat(chosen, exchange, threading.Event()).bound_to(digest)
    with pytest.raises(RefusedError) as caught:
        approved_plan(seat, run)
    assert caught.value.code == code
    channel = Channel("ward", "run", COORDINATOR, SigningKey.generate(), digest)
    said = channel.read(exchange.store(names.site("alder")), DeclinedMessage, seat.channel.author)
    assert said.message.code == code
