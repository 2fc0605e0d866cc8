"""The report: its exact JSON, what it claims, how it is shown, and that no text in it can become markup."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from wardround.evaluation.histograms import histogram_of
from wardround.evaluation.intervals import Interval, score_intervals
from wardround.evaluation.page import report_page
from wardround.evaluation.report import Report, SiteScore, site_score
from wardround.evaluation.tables import report_view, summary_table
from wardround.evaluation.verdict import verdict


def score(auroc: float, n: int = 100) -> SiteScore:
    return site_score(
        {"auroc": Interval(auroc - 0.05, auroc, auroc + 0.05), "accuracy": Interval(0.7, 0.8, 0.9)}, n
    )


def report(**changes: object) -> Report:
    given: dict[str, object] = {
        "recipe": "projection",
        "task": "AP or PA",
        "data": "real images",
        "federated": {"hannover": score(0.96), "nih-a": score(0.91)},
        "local": {
            "hannover": {"hannover": score(0.97), "nih-a": score(0.60)},
            "nih-a": {"hannover": score(0.70), "nih-a": score(0.90)},
        },
        "pooled": {"hannover": score(0.97), "nih-a": score(0.92)},
        "rounds": 15,
        "seconds": 61.5,
        "seeds": {"split": 1, "model": 2},
    }
    return Report.model_validate(given | changes)


def shown(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_file_has_the_agreed_keys_and_intervals_of_three(tmp_path: Path) -> None:
    report().write(tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["federated"]["hannover"]["auroc"] == pytest.approx([0.91, 0.96, 1.01])
    assert set(written["federated"]["hannover"]) == {"auroc", "accuracy", "n"}
    assert set(written["local"]["nih-a"]) == {"hannover", "nih-a"}
    assert {"pooled", "rounds", "seconds", "seeds", "recipe", "task", "data"} < set(written)
    assert Report.model_validate(written) == report()


def test_undefined_values_are_null_in_the_file_and_a_dash_on_the_screen() -> None:
    one_class = score_intervals([[0.2, 0.8], [0.4, 0.6]], [1, 1], positive=1)
    given = report(federated={"hannover": site_score(one_class, 2)})
    assert json.loads(given.model_dump_json())["federated"]["hannover"]["auroc"] == [None, None, None]
    assert "–" in shown(summary_table(given))


def test_the_verdict_says_both_answers_with_their_figures() -> None:
    answers = verdict(report())
    assert answers.near_pooled and answers.above_local
    assert answers.to_pooled == pytest.approx(-0.01)
    assert answers.over_best_local == ("nih-a", pytest.approx(0.935 - 0.80))
    text = " ".join(answers.lines())
    assert "within 0.02 AUROC of pooled: -0.010" in text
    assert "own model still scores higher at: hannover" in text


def test_the_verdict_admits_a_model_that_is_worse() -> None:
    answers = verdict(report(federated={"hannover": score(0.7), "nih-a": score(0.7)}))
    assert answers.near_pooled is False and answers.above_local is False
    assert "NOT within" in answers.lines()[0]
    assert "NOT above" in answers.lines()[1]


def test_the_verdict_does_not_claim_what_was_not_compared() -> None:
    answers = verdict(report(pooled={}, local={}))
    assert (answers.near_pooled, answers.above_local) == (None, None)
    assert answers.lines() == ("Not compared with a pooled model.", "Not compared with local-only models.")


def test_the_screen_shows_every_model_on_every_site() -> None:
    text = shown(report_view(report()))
    for expected in ("0.960 (0.910–1.010)", "only nih-a", "0.600", "0.700", "real images", "split 1"):
        assert expected in text


def test_generated_images_are_called_generated_wherever_figures_are_shown() -> None:
    given = report(data="generated")
    assert "GENERATED" in shown(report_view(given))
    assert "GENERATED" in report_page(given)


def test_markup_in_names_stays_text_on_the_page_and_on_the_screen() -> None:
    evil = "<script>alert(1)</script>[bold]$x$"
    given = report(
        federated={evil: score(0.9)}, local={evil: {evil: score(0.9)}}, pooled={evil: score(0.9)}, recipe=evil
    )
    counts = histogram_of([[0.4, 0.6], [0.8, 0.2], [0.3, 0.7]], [1, 0, 0])[1]
    page = report_page(given, {evil: {evil: counts}})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "[bold]$x$" in shown(report_view(given))


def test_the_page_loads_nothing_from_anywhere() -> None:
    counts = np.ones((2, 256), np.int64)
    page = report_page(report(), {"hannover": {"federated": counts, "pooled": counts}})
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert "<img" not in page and "<link" not in page and "@import" not in page
    assert "url(http" not in page and 'href="http' not in page


def test_the_same_report_makes_the_same_page() -> None:
    curves = {"hannover": {"federated": np.ones((2, 256), np.int64)}}
    assert report_page(report(), curves) == report_page(report(), curves)
