"""Files and flags that people or other parties write: bounded, strict, and no value of theirs in an error."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from wardround.cli.executor import Executor
from wardround.errors import ConfigurationError, WardroundError
from wardround.exchange.settings import from_environment
from wardround.imaging.burned_in.regions import load_catalogue
from wardround.imaging.deid.options import load_options
from wardround.kubeflow.parameters import read_parameters
from wardround.limited import FileError, read_limited
from wardround.plan.simulation import load_sites
from wardround.processes import load_settings
from wardround.recipe import load_recipe, parse_recipe
from wardround.site.settings import SiteSettings
from wardround.yaml_text import YamlError, parse_yaml

SECRET = "hunter2-Exlund"
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi")
)
BROKEN = {
    "an open list": f"[{SECRET}",
    "an unknown alias": f"*{SECRET}",
    "an unknown tag": f"!{SECRET} x",
    "a Python object": f"!!python/object/apply:os.system [{SECRET}]",
    "a tab": f"a:\n\t- {SECRET}",
    "two documents": f"a: {SECRET}\n---\nb: {SECRET}",
    "a quote": f'"{SECRET}',
    "a control": f"a: {SECRET}\x1b",
    "a long number": "9" * 5000 + SECRET[:0],
    "a long hexadecimal number": "seed: 0x" + "f" * 5000,
    "a long number in sixties": "seed: 1" + ":59" * 15_000,
    "a set, which has no order": f"!!set {{{SECRET}, b}}",
    "pairs": f"!!pairs [{SECRET}: 1]",
    "a 13th month": "2026-13-45",
    "no base64": f"!!binary {SECRET}",
    "a list as a key": f"? [{SECRET}]\n: x",
    "equal keys": f"{{a: {SECRET}, a: {SECRET}}}",
    "an endless alias": f"&a [*a, {SECRET}]",
    "laughter": LAUGHS + SECRET + ": 1",
    "depth": "[" * 2000 + SECRET + "]" * 2000,
    "a merge of itself": f"&a {{<<: *a, {SECRET}: 1}}",
}


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    secret: int = 0
    inner: dict[str, int] = {}


def refused(work: Any, *given_: Any) -> str:
    """The message of the error that is ours; nothing of the secret is in it, nor in what it was raised from."""
    with pytest.raises((WardroundError, YamlError)) as caught:
        work(*given_)
    text, error = str(caught.value), caught.value
    assert SECRET not in text and (error.__cause__ is None or SECRET not in str(error.__cause__))
    assert error.__suppress_context__ or error.__context__ is None or SECRET not in str(error.__context__)
    return text


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_broken_yaml_is_refused_at_once_without_a_word_of_it(text: str, tmp_path: Path) -> None:
    start = time.process_time()
    refused(parse_yaml, text)
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    assert repr(str(file)) in refused(load_settings, Settings, file, "WARDROUND_TEST_", {})
    refused(parse_recipe, text)
    for reader in (load_recipe, read_parameters, load_options, load_catalogue):
        refused(reader, file)
    flag = refused(load_settings, Settings, None, "T_", {"T_NAME": "x", "T_SECRET": text})
    assert "secret" in flag
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "{",
        "- ",
        "? ",
        "- [",
        "a: {",
        "[a,",
        "{a: ",
        "&a ",
        "*a ",
        "!a ",
        "'",
        '"',
        "|\n",
        "a:\n ",
        "%",
        "<<: ",
        "1:",
    ],
)
def test_no_repetition_costs_more_than_its_length(piece: str) -> None:
    """A quarter of what is accepted at all, in seconds; quadratic work takes minutes."""
    start = time.process_time()
    with suppress(YamlError):
        parse_yaml(piece * (65_536 // len(piece)))
    assert time.process_time() - start < 10


def test_a_flag_that_is_no_yaml_is_one_line_that_names_it() -> None:
    command = [sys.executable, "-m", "wardround", "site", "train", "--approved-digests", f"[{SECRET}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "approved_digests" in done.stderr and SECRET not in done.stderr + done.stdout


@pytest.mark.parametrize("value", [SECRET, [SECRET], {SECRET: SECRET}, {"a": SECRET}], ids=str)
def test_a_value_of_the_wrong_kind_is_named_and_not_quoted(value: Any, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    for field in ("secret", "inner"):
        if field == "inner" and isinstance(value, dict) and SECRET in value:
            continue  # a name in a mapping is no value
        file.write_text(json.dumps({"name": "x", field: value}))
        assert field in refused(load_settings, Settings, file, "T_", {})


@pytest.mark.parametrize("text", ["", "- a", "just text", "3", "{1: a}", "null"])
def test_settings_that_are_no_mapping_are_told_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "s").write_text(text)
    assert "no mapping" in refused(load_settings, Settings, tmp_path / "s", "T_", {})


def test_what_is_no_utf8_or_too_large_or_no_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(f"name: {SECRET}\xe9".encode("latin-1"))
    assert "UTF-8" in refused(load_settings, Settings, tmp_path / "latin", "T_", {})
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    os.mkfifo(tmp_path / "pipe")
    for name, told in (
        ("large", "more than"),
        ("pipe", "not a file"),
        (".", "not a file"),
        ("absent", "No such file"),
    ):
        for reader in (load_recipe, read_parameters, load_options, load_catalogue):
            assert told in refused(reader, tmp_path / name)
        assert told in refused(load_settings, Settings, tmp_path / name, "T_", {})
        key = {"WARDROUND_S3_CREDENTIALS_FILE": str(tmp_path / name)}
        assert told in refused(from_environment, "https://s3.example", key)
    with pytest.raises(FileError):
        read_limited(Path("/dev/zero"), 10)
    with pytest.raises(FileError):
        read_limited(Path("a\0b"), 10)


def test_a_selection_of_images_that_cannot_be_read_is_not_quoted(tmp_path: Path) -> None:
    fields = {
        "federation": "a",
        "site": "b",
        "exchange": "c",
        "key_file": "d",
        "coordinator_key": "e",
        "work": "f",
    }
    given_ = {f"T_{name.upper()}": value for name, value in fields.items()}
    for chosen in (SECRET, str(tmp_path)):
        assert "select" in refused(load_settings, SiteSettings, None, "T_", {**given_, "T_SELECT": chosen})


def test_credentials_that_are_no_json_are_not_quoted(tmp_path: Path) -> None:
    for text in (SECRET, "[" * 100_000, f'{{"access_key": "{SECRET}"}}', f'{{"access_key": ["{SECRET}"]}}'):
        (tmp_path / "s3.json").write_text(text)
        key = {"WARDROUND_S3_CREDENTIALS_FILE": str(tmp_path / "s3.json")}
        refused(from_environment, "https://s3.example", key)


@pytest.mark.parametrize(
    "text", [f'{{"{SECRET}', f'["{SECRET}"]', "[" * 100_000, f'{{"inputs": "{SECRET}"}}', f'"{SECRET}"']
)
def test_an_executor_input_is_not_quoted(text: str) -> None:
    refused(Executor.parse, text)


def test_arrays_are_measured_before_they_are_read(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x0.npy", b"\0" * 1000)
    data = (tmp_path / "bomb.npz").read_bytes()
    size = (1000).to_bytes(4, "little")
    (tmp_path / "bomb.npz").write_bytes(data.replace(size, (0xFFFF_FFF0).to_bytes(4, "little")))
    for name in ("bomb.npz", "absent"):
        with pytest.raises(ConfigurationError):
            load_sites(tmp_path / name, None)  # type: ignore[arg-type] # not looked at before the arrays


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=80) | st.text(alphabet="[]{}:,-&*!|>'\"#%@ \n\tab1.", max_size=80))
def test_any_text_is_content_or_a_yaml_error(text: str) -> None:
    with suppress(YamlError):
        parse_yaml(text)


@settings(deadline=None, max_examples=100)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(alphabet=st.characters(max_codepoint=0xD7FF), max_size=9),
        lambda inner: st.lists(inner, max_size=4),
    )
)
def test_what_json_says_is_what_is_read(value: Any) -> None:
    assert parse_yaml(json.dumps({"a": value})) == {"a": value}
