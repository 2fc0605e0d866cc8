"""A bounded run of fuzzing: bytes near honest ones are parsed or refused, whatever they are; see also `make fuzz`."""

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile.parsers import PARSERS
from wardround.errors import WardroundError

EXAMPLES = 250
INTERESTING = [
    b"\x00",
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    b"{",
    b"[" * 50,
    b'"',
    b"\r\n",
    b",",
    b"=",
    b"\x1b[2J",
    b"1e999",
]


@st.composite
def altered(draw: Any, seeds: list[bytes]) -> bytes:
    """One of the seeds with a few places cut out, doubled, overwritten or filled."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 12))
        new = draw(st.sampled_from(INTERESTING) | st.binary(max_size=8) | st.just(data[at : at + length] * 2))
        data = data[:at] + new + data[at + length :]
    return data


@pytest.mark.parametrize("name", PARSERS)
def test_honest_bytes_are_parsed(name: str) -> None:
    for seed in PARSERS[name].seeds():
        with contextlib.nullcontext() if name != "manifest" else contextlib.suppress(WardroundError):
            PARSERS[name].parse(seed)


@pytest.mark.parametrize("name", PARSERS)
def test_altered_bytes_are_parsed_or_refused(name: str) -> None:
    parser = PARSERS[name]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(altered(list(parser.seeds())))
    def check(data: bytes) -> None:
        with contextlib.suppress(WardroundError):
            parser.parse(data)

    check()
