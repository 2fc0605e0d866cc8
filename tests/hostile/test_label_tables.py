"""A label table that nobody could have meant is refused with a clear word, in little time and memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wardround.errors import ConfigurationError
from wardround.imaging import label_file
from wardround.imaging.label_file import MAX_BYTES, MAX_COLUMNS, MAX_ROW, read_rows

HEAD = "patient,label\n"


def refusal(path: Path, content: bytes | str) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as error:
        read_rows(path, "utf-8")
    assert "secret" not in str(error.value) and len(str(error.value)) < 300
    return str(error.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (HEAD + '"secret,normal\n' + "a,b\n" * 400_000, "quotation mark"),
        (HEAD + '"' + "secret\n" * 200_000, "quotation mark"),
        (HEAD + "secret" * 200_000 + ",normal\n", "more than"),
        (HEAD + "," * (MAX_ROW + 10), "more than"),
        (HEAD + '"\n",' * 400_000, "more than"),
        ("patient,label," + ",".join(f"s{number}" for number in range(100_000)) + "\n", "columns"),
        ("patient,label" + "," * MAX_COLUMNS + "\n", "columns"),
        (HEAD + "secret\0,normal\n", "not text"),
        (b"\0" * 1000, "not text"),
        (b"\xff\xfe" + b"\0\xd8" * 100, "UTF-16"),
        ("secret" * 400_000, "more than"),
        ("", "no known column"),
        ("\n" * 100, "no known column"),
    ],
)
def test_a_table_that_is_none_has_a_clear_word(content: bytes | str, word: str, tmp_path: Path) -> None:
    assert word in refusal(tmp_path / "labels.csv", content)


def test_a_table_larger_than_any_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ConfigurationError, match="so large"):
        read_rows(path, "utf-8")


def test_more_rows_than_a_hospital_has_images_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_file, "MAX_ROWS", 1000)
    assert "rows" in refusal(tmp_path / "labels.csv", HEAD + "a,b\n" * 1001)
    assert "rows" in refusal(tmp_path / "labels.csv", HEAD + "\n" * 1001)


def test_rows_up_to_the_limits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    note = "x" * 100_000
    path.write_text(f"patient,label,note\nA,normal,{note}\nB,normal,{note}\n" * 1 + f"C,normal,{note}\n" * 12)
    assert len(read_rows(path, "utf-8")) == 14


def test_what_never_ends_or_never_begins_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link", "."):
        with pytest.raises(ConfigurationError):
            read_rows(tmp_path / name, "utf-8")


def test_a_gigabyte_in_one_line_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    with path.open("wb") as file:
        file.write(HEAD.encode())
        file.truncate(1 << 30)
    program = (
        "import resource, sys; from pathlib import Path; from wardround.imaging.label_file import read_rows\n"
        "from wardround.errors import ConfigurationError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_rows(Path(sys.argv[1]), 'utf-8')\n"
        "except ConfigurationError: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 32 << 20, f"{done.stdout} KiB"
