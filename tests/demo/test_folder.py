"""Whose folder it is, and what may happen to it."""

from pathlib import Path

import pytest

from wardround.errors import ConfigurationError
from wardround.local.demo_folder import MARK, claim


def test_a_new_folder_is_made_and_marked(tmp_path: Path) -> None:
    folder, lock = claim(tmp_path / "demo", resume=False, fresh=False)
    lock.close()
    assert (folder.root / MARK).is_file()


@pytest.mark.parametrize("wish", [{"resume": True, "fresh": False}, {"resume": False, "fresh": True}])
def test_somebody_elses_folder_is_never_touched(tmp_path: Path, wish: dict[str, bool]) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="left alone"):
        claim(tmp_path, **wish)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_an_earlier_demo_is_neither_continued_nor_deleted_without_being_told(tmp_path: Path) -> None:
    folder, lock = claim(tmp_path, resume=False, fresh=False)
    lock.close()
    folder.state.write_text("{}")
    with pytest.raises(ConfigurationError, match=r"--resume.*--fresh"):
        claim(tmp_path, resume=False, fresh=False)
    assert folder.state.exists()


def test_fresh_deletes_what_an_earlier_demo_left(tmp_path: Path) -> None:
    folder, lock = claim(tmp_path, resume=False, fresh=False)
    lock.close()
    (folder.root / "data" / "alder").mkdir(parents=True)
    folder.state.write_text("{}")
    folder, lock = claim(tmp_path, resume=False, fresh=True)
    lock.close()
    assert [path.name for path in tmp_path.iterdir()] == [MARK]


def test_resume_without_a_demo_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no demo"):
        claim(tmp_path / "none", resume=True, fresh=False)
    assert not (tmp_path / "none").exists()


def test_two_demos_in_one_folder_are_refused(tmp_path: Path) -> None:
    _, lock = claim(tmp_path, resume=False, fresh=False)
    with lock, pytest.raises(ConfigurationError, match="another demo runs"):
        claim(tmp_path, resume=True, fresh=False)
