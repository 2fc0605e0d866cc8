"""The command line around the steps: where settings come from, keys, approvals, exit codes."""

import json
import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from wardround.cli.options import read_settings
from wardround.cli.steps_compile import write_files
from wardround.errors import ConfigurationError
from wardround.recipe.schema import Image, Recipe, Task
from wardround.site.intake import dataset_name, make_split_key

DIGEST = "ab" * 32


class Settings(BaseModel):
    site: str
    work: Path = Path("nowhere")
    rounds: int | None = None
    members: dict[str, str] = {}


def read(flags: dict[str, str], inputs: dict[str, object], file: Path | None = None) -> Settings:
    return read_settings(Settings, "WARDROUND_TEST_", file, flags, inputs, {"work": "assumed"})


def wardround(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wardround", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_flag_goes_before_the_pipeline_and_that_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("{site: file, rounds: 1, members: {a: file}, work: file}")
    monkeypatch.setenv("WARDROUND_TEST_SITE", "environment")
    monkeypatch.setenv("WARDROUND_TEST_ROUNDS", "2")
    monkeypatch.setenv("WARDROUND_TEST_MEMBERS", "{a: environment}")
    found = read({"site": "flag"}, {"site": "pipeline", "rounds": 3.0, "settings": str(file)})
    assert found == Settings(site="flag", work=Path("assumed"), rounds=3, members={"a": "environment"})


def test_an_empty_pipeline_input_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDROUND_TEST_SITE", "environment")
    assert read({}, {"site": "", "rounds": 0, "members": {}, "settings": ""}).site == "environment"


def test_a_name_that_yaml_takes_for_something_else_stays_a_name() -> None:
    assert read({"site": "no"}, {}).site == "no"
    assert read({}, {"site": "1"}).site == "1"


def test_a_setting_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="site: Field required"):
        read({}, {})


def test_help_is_shown_without_loading_tensorflow() -> None:
    script = "import sys\nsys.argv = ['wardround', '--help']\nimport wardround.cli as cli\ntry: cli.main()\nfinally: "
    script += "print(sorted({'tensorflow', 'pydantic', 'kfp', 'mlflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "coordinator" in done.stdout


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first, second = (
        wardround("site", "key", "--out", tmp_path / "k"),
        wardround("site", "key", "--out", tmp_path / "k"),
    )
    assert first.stdout == second.stdout
    assert len(first.stdout.strip()) == 64
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600


def test_an_approval_is_a_file_named_by_the_digest(tmp_path: Path) -> None:
    assert wardround("site", "approve", DIGEST, "--approvals", tmp_path).returncode == 0
    assert (tmp_path / DIGEST).is_file()


def test_something_that_is_no_digest_is_not_approved(tmp_path: Path) -> None:
    done = wardround("site", "approve", "../" + DIGEST, "--approvals", tmp_path / "approvals")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "[illegal-name]" in done.stderr


def test_a_usage_error_exits_with_2() -> None:
    assert wardround("site", "trian").returncode == 2


def test_an_executor_input_that_is_damaged_is_one_clear_line() -> None:
    done = wardround("site", "train", "--executor-input", "{")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_a_split_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    key = make_split_key(tmp_path / "work" / "split.key").read_bytes()
    assert len(key) == 32
    assert make_split_key(tmp_path / "work" / "split.key").read_bytes() == key
    assert stat.S_IMODE((tmp_path / "work" / "split.key").stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "work") == ["split.key"]


def test_a_data_set_is_named_by_the_task_and_nothing_else() -> None:
    task = Task(labels=("a", "b"))
    assert dataset_name(task) == dataset_name(Task.model_validate(json.loads(task.model_dump_json())))
    assert dataset_name(task) != dataset_name(Task(labels=("b", "a")))
    assert dataset_name(task) != dataset_name(Task(labels=("a", "b"), image=Image(bits=16)))


def test_a_recipes_python_files_reach_the_compiler_through_the_pipelines_input(tmp_path: Path) -> None:
    write_files({"model.py": "def build(shape, classes): ...", "parts/loss.py": "# ä"}, tmp_path)
    assert (tmp_path / "model.py").read_text().startswith("def build")
    assert (tmp_path / "parts" / "loss.py").read_text(encoding="utf-8") == "# ä"


@given(
    st.text(max_size=30) | st.sampled_from(["../x.py", "/etc/x.py", "a/../../x.py", "a//b.py", ".hidden", ""])
)
def test_a_file_is_never_written_outside_of_the_recipes_folder(name: str) -> None:
    with TemporaryDirectory() as folder:
        inside = Path(folder) / "inside"
        inside.mkdir()
        with suppress(ConfigurationError):
            write_files({name: "x"}, inside)
        assert os.listdir(folder) == ["inside"]


def test_a_recipe_names_its_files_once() -> None:
    both = {
        "name": "own",
        "task": {"labels": ["a", "b"]},
        "model": {"file": "parts.py", "function": "build"},
        "algorithm": {"name": "custom", "process": {"file": "parts.py", "function": "make"}},
    }
    assert Recipe.model_validate(both).files == ("parts.py",)
    assert Recipe.model_validate({**both, "model": {"builtin": "logistic"}, "algorithm": {}}).files == ()


def test_a_command_ends_with_its_own_exit_code_after_what_was_to_be_done_at_the_end() -> None:
    script = (
        "import atexit, sys, threading, time\n"
        "from wardround.cli.ending import ending_at_once\n"
        "with ending_at_once():\n"
        "    atexit.register(lambda: print('done at the end'))\n"
        "    threading.Thread(target=lambda: (time.sleep(0.3), print('done in a thread'))).start()\n"
        "    {}\n"
    )
    cases = {"sys.exit(3)": 3, "sys.exit('words')": 1, "raise KeyError": 1, "pass": 0, "sys.exit()": 0}
    for last, code in cases.items():
        command = [sys.executable, "-c", script.format(last)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (ended.returncode, ended.stdout) == (code, "done in a thread\ndone at the end\n"), last
        assert ("Traceback" in ended.stderr) == (last == "raise KeyError")
