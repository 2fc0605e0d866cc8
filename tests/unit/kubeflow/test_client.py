"""What Kubeflow's answers become: the answers are a server's, over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from json_server import json_server

from wardround.errors import ConfigurationError
from wardround.kubeflow.client import Connection, Kubeflow
from wardround.kubeflow.errors import KubeflowDeniedError, KubeflowError, KubeflowUnavailableError
from wardround.kubeflow.recurring import Schedule
from wardround.kubeflow.register import Version, count_runs
from wardround.kubeflow.start import Order, run_title


@contextmanager
def server(status: int, body: object) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer, its address, and the Authorization headers that it was sent."""
    seen: list[str] = []

    def answer(method: str, path: str, authorization: str) -> tuple[int, object]:
        seen.append(authorization)
        return status, body

    with json_server(answer) as url:
        yield url, seen


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, KubeflowDeniedError, "--token-file"),
        (403, KubeflowDeniedError, "the Role"),
        (500, KubeflowUnavailableError, "HTTP 500"),
        (400, KubeflowError, "refused"),
    ],
)
def test_an_answer_that_is_an_error_says_what_was_tried_and_what_to_do(
    status: int, kind: type[KubeflowError], says: str
) -> None:
    with server(status, {"message": "the server's\nown words", "code": 7}) as (url, _):
        with pytest.raises(kind, match=says) as caught:
            count_runs(Kubeflow(Connection("ward-a", url)))
    assert "list runs" in str(caught.value)
    assert "the server's own words" in str(caught.value)


def test_a_server_that_is_not_there_is_told_from_one_that_refuses() -> None:
    with server(200, {}) as (url, _):
        pass
    with pytest.raises(KubeflowUnavailableError, match="cannot be reached to list runs"):
        count_runs(Kubeflow(Connection("ward-a", url)))


def test_the_token_of_the_file_is_sent_and_stands_in_no_error(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    with server(403, {"message": "no"}) as (url, seen):
        with pytest.raises(KubeflowDeniedError) as caught:
            count_runs(Kubeflow(Connection("ward-a", url, tmp_path / "token")))
    assert seen == ["Bearer s3cret"]
    assert "s3cret" not in str(caught.value)


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing-here"):
        count_runs(Kubeflow(Connection("ward-a", "http://127.0.0.1:1", tmp_path / "nothing-here")))


def test_a_link_leads_to_the_ui_and_its_namespace() -> None:
    kubeflow = Kubeflow(Connection("ward-a", "http://api:8888", ui="https://kubeflow.example/pipeline/"))
    assert kubeflow.link("42") == "https://kubeflow.example/pipeline/?ns=ward-a#/runs/details/42"


def test_a_run_is_called_after_federation_run_and_party() -> None:
    assert run_title("ward", "tiny-1", "alder") == "ward/tiny-1/alder"
    assert run_title("", "", "alder") == "wardround/newest-open/alder"


@pytest.mark.parametrize(
    ("schedule", "trigger"),
    [
        (Schedule(seconds=600), {"periodic_schedule": {"interval_second": "600"}}),
        (Schedule(cron="0 */10 * * * *"), {"cron_schedule": {"cron": "0 */10 * * * *"}}),
        (Schedule(cron="*/10 * * * *"), {"cron_schedule": {"cron": "0 */10 * * * *"}}),
    ],
)
def test_a_schedule_is_seconds_or_cron_with_five_or_six_fields(
    schedule: Schedule, trigger: dict[str, object]
) -> None:
    assert schedule.trigger() == trigger


@pytest.mark.parametrize("schedule", [Schedule(), Schedule("* * * * *", 5), Schedule(cron="daily")])
def test_a_schedule_that_is_none_is_refused(schedule: Schedule) -> None:
    with pytest.raises(ConfigurationError):
        schedule.trigger()


def test_an_order_is_the_same_only_with_the_same_version_parameters_and_schedule() -> None:
    version = Version("wardround-site", "p", "v", "1")
    order = Order("a/b/c", "e", version, {"x": 1, "y": [2]})
    same = Order("a/b/c", "e", version, {"y": [2], "x": 1})
    assert order.digest() == same.digest()
    others = {
        order.digest(),
        order.digest({"every": 1}),
        Order("a/b/c", "e", version, {"x": 2, "y": [2]}).digest(),
        Order("a/b/c", "e", Version("wardround-site", "p", "w", "2"), order.parameters).digest(),
    }
    assert len(others) == 4
