"""Text of another party on a terminal, in a log, on a page and in Kubeflow's metadata: it is shown, and does nothing."""

import html
import io
import json
import logging
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from wardround.cli.executor import Artifact, Executor
from wardround.cli.findings import show as show_findings
from wardround.cli.status_page import links, status_page
from wardround.errors import RefusedError
from wardround.evaluation.kubeflow import confusion_metadata
from wardround.evaluation.page import report_page
from wardround.evaluation.report import Report, SiteScore
from wardround.evaluation.summary_page import curve_chart, summary_page
from wardround.evaluation.tables import report_view
from wardround.exchange.findings import Finding
from wardround.imaging.statistics.charts import histogram_chart
from wardround.kubeflow.find import KubeflowRun
from wardround.kubeflow.status import RoundStatus, RunStatus, SiteStatus
from wardround.local.live import rounds_table
from wardround.local.watch import Row, Snapshot
from wardround.log_lines import LineFormatter
from wardround.pages import html_page, html_row, html_table
from wardround.recipe import parse_recipe
from wardround.recipe.reader import RecipeError
from wardround.text import for_attribute, for_html, for_rich, foreign, is_plain, message, message_lines

ESCAPES = (
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m",
    "\x1b(0",
    "\x7f\x08",
)
BIDI = tuple(
    map(chr, (0x202A, 0x202B, 0x202D, 0x202E, 0x202C, 0x2066, 0x2067, 0x2068, 0x2069, 0x200E, 0x200F, 0x61C))
)
HIDDEN = tuple(
    map(chr, (0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD, 0x34F, 0x115F, 0x3164, 0xFFA0, 0x180E, 0xFE0F))
)
MORE = tuple(
    map(
        chr,
        (0xE0041, 0xE0100, 0xE000, 0x10FFFF, 0x378, 0x2028, 0x2029, 0xA0, 0x3000, 0x2007, 0x85, 0xB, 0x2800),
    )
)
LINES = ("\n", "\r", "\r\n2026-01-01 INFO wardround: approved", "a\n\n")
MARKUP = (
    "[bold red]x[/]",
    "[/]",
    "[link=http://evil]y[/link]",
    "\\[",
    "[@click=app.bell]z[/]",
    ":warning:",
    "[",
    "\\",
)
PAGES = (
    "<script>alert(1)</script>",
    "</td></tr></table>",
    '"><img src=x onerror=alert(1)>',
    "&lt;",
    "<!--",
    "]]>",
    "'",
)
ZALGO = "Z" + "".join(map(chr, range(0x300, 0x314)))
HOSTILE = (
    *ESCAPES,
    *BIDI,
    *HIDDEN,
    *MORE,
    *LINES,
    *MARKUP,
    *PAGES,
    ZALGO,
    "\ud800",
    "א" * 3,
    "\u0661",
    "│ok│",
)

pieces = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=8), st.sampled_from(("normal", " ", "ä", "病", "👩‍⚕️"))
)
texts = st.lists(pieces, max_size=8).map("".join)
quick = settings(deadline=None, max_examples=150)


def obeyed(text: str) -> list[str]:
    """Characters that a terminal, or a reader's eye, would obey. Written anew here: not by the sanitizer's own rules."""
    bad = [c for c in text if unicodedata.category(c)[0] in "CZ" and c != " "]
    bad += [
        c
        for c in text
        if unicodedata.bidirectional(c) not in ("L", "EN", "ES", "ET", "CS", "NSM", "BN", "WS", "ON")
    ]
    return bad + [c for c in text if c in HIDDEN or c in MORE] + re.findall(r"[\u0300-\u036f]{5,}", text)


def printed(renderable: Any, width: int = 10_000) -> str:
    """What goes to a terminal with colours, without the sequences that rich itself writes."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, legacy_windows=False)
    console.print(renderable)
    return re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())  # type: ignore[attr-defined]


# --- the sanitizer ---


@quick
@given(texts)
def test_nothing_in_foreign_text_is_obeyed(text: str) -> None:
    assert obeyed(foreign(text)) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_each_known_trick_is_visible(text: str) -> None:
    shown = foreign(f"a{text}b")
    assert obeyed(shown) == [] and shown.startswith("a") and shown.endswith("b")


def test_every_character_of_unicode_is_shown_or_written_out() -> None:
    places = [*range(0x20000), *range(0xE0000, 0xE0200), 0xF0000, 0x10FFFF]
    for start in range(0, len(places), 1000):
        text = "a".join(map(chr, places[start : start + 1000]))
        assert obeyed(foreign(text, 10**6)) == []


@pytest.mark.parametrize(
    "text", ["normal", "Größe ≥ 2 cm", "肺炎", "naïve", "ไทยน้ำ", "हिन्दी", "한국어", "T1+", "Привет", "x²"]
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert foreign(text) == text and is_plain(text)


@quick
@given(texts, st.integers(1, 300))
def test_foreign_text_has_no_more_columns_than_asked_for(text: str, limit: int) -> None:
    wide = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in foreign(text, limit))
    assert wide <= max(limit, 1)


def test_a_long_text_costs_no_time() -> None:
    assert foreign("\x1b" * 10_000_000) == foreign("\x1b" * 1000) and len(foreign("a" * 10**7)) == 200


@quick
@given(texts)
def test_a_mark_stands_on_no_word_of_ours(text: str) -> None:
    assert unicodedata.category((foreign(text) or "a")[0])[0] != "M"


@quick
@given(texts)
def test_right_to_left_text_is_isolated_on_a_page_and_written_out_elsewhere(text: str) -> None:
    shown = for_html("א" + text)
    assert shown.startswith("<bdi>") and shown.endswith("</bdi>")
    assert not any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in for_attribute("א" + text))


# --- terminals ---


def is_harmless(shown: str, lines: int) -> bool:
    """No more lines than the page has, and nothing obeyed, the page's own frames aside."""
    frames = re.compile("[\u2500-\u257f]")
    return obeyed(frames.sub("", shown.replace("\n", ""))) == [] and shown.count("\n") == lines


@quick
@given(texts)
def test_rich_reads_no_markup_in_it(text: str) -> None:
    assert printed(for_rich(text)).removesuffix("\n") == foreign(text)


@quick
@given(texts)
def test_the_table_of_a_runs_status_keeps_its_form(text: str) -> None:
    page = status_page(hostile_status(text))
    lines = printed(status_page(hostile_status(foreign(text)))).count("\n")
    assert is_harmless(printed(page), lines)


def hostile_status(text: str) -> RunStatus:
    closed = RoundStatus(1, text, 1, (text,), {text: text}, (text,), {text: text}, {"loss": 0.1})
    return RunStatus(
        federation=text,
        run=text,
        state=text,
        started=text,
        plan_digest=text,
        rounds_wanted=1,
        quorum=1,
        sites=(SiteStatus(text, "declined", text),),
        rounds=(closed,),
        champion=1,
        measure=text,
        metric=0.5,
        model_name=text,
        registry=None,
    )


@quick
@given(texts)
def test_the_demos_live_table_keeps_its_form(text: str) -> None:
    row = Row(1, "train", "completed", (text,), 1, (text,), 0.1, 1.0, 0.5, {text: 0.5})
    table = rounds_table(Snapshot(rows=(row,)), (text,), text, 5)
    assert is_harmless(printed(table), 6)


@quick
@given(texts)
def test_the_report_on_a_terminal_keeps_its_form(text: str) -> None:
    lines = printed(report_view(hostile_report(foreign(text)))).count("\n")
    assert is_harmless(printed(report_view(hostile_report(text))), lines)


def hostile_report(text: str) -> Report:
    score = SiteScore(auroc=(0.5, 0.6, 0.7), accuracy=(0.5, 0.6, 0.7), n=5)
    return Report(
        recipe=text,
        task=text,
        data="generated",
        federated={text: score},
        local={text: {text: score}},
        pooled={text: score},
        rounds=1,
        seconds=1.0,
        seeds={"data": 1},
    )


@settings(deadline=None, max_examples=50)
@given(texts)
def test_findings_of_a_check_keep_their_form(text: str) -> None:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        show_findings([Finding(text, False, text)])
    assert obeyed(re.sub("[\u2500-\u257f\n]", "", out.getvalue())) == []


# --- logs and errors ---


def logged(text: str) -> str:
    record = logging.LogRecord(
        "wardround.x", logging.INFO, "f", 1, "refused: %s", (RefusedError(text),), None
    )
    return LineFormatter("%(levelname)s %(message)s").format(record)


@quick
@given(texts)
def test_an_event_is_one_line_in_a_log(text: str) -> None:
    line = logged(text)
    assert obeyed(line) == [] and line.startswith("INFO refused: ")


@quick
@given(texts)
def test_a_traceback_of_our_own_stays_readable_and_forges_no_line(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError as error:
        record = logging.LogRecord("wardround", logging.ERROR, "f", 1, text, None, (type(error), error, None))
    lines = LineFormatter("ERROR %(message)s").format(record).split("\n")
    assert obeyed("".join(lines)) == []
    assert all(line.startswith("    ") for line in lines[1:]) and "    ValueError" in "\n".join(lines)


@quick
@given(texts)
def test_an_error_at_the_command_line_has_one_first_line(text: str) -> None:
    lines = message_lines(f"wardround: {text}").split("\n")
    assert obeyed("".join(lines)) == [] and all(line.startswith("  ") for line in lines[1:])
    assert "\n" not in message(text)


# --- pages and Kubeflow ---


class Elements(HTMLParser):
    """The elements of a page, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "bdi":
            self.found.append(f"{tag} {sorted(name for name, _ in attrs)}")

    def handle_comment(self, data: str) -> None:
        self.found.append("comment")


def elements(page: str) -> list[str]:
    parser = Elements()
    parser.feed(page)
    parser.close()
    return parser.found


def pages(text: str) -> list[str]:
    rows = [(text, 1, (0.1, 0.2, 0.3), text)]
    return [
        summary_page(text, {text: text}, ((text, "n"), rows), [histogram_chart(text, {text: [0.1] * 4})]),
        report_page(hostile_report(text)),
        html_page(text, [html_table((text,), [html_row([text])])]),
    ]


@settings(deadline=None, max_examples=60)
@given(texts)
def test_pages_have_the_elements_that_they_had(text: str) -> None:
    for page, plain in zip(pages(text), pages("plain")):
        assert elements(page) == elements(plain)
        shown = html.unescape(page)
        assert [
            c for c in obeyed(shown) if c != "\n" and unicodedata.bidirectional(c) not in ("R", "AL", "AN")
        ] == []


def test_charts_drawn_by_matplotlib_are_one_image() -> None:
    for text in (ESCAPES[0], BIDI[3], LINES[0], PAGES[0], "$x$", "\ud800"):
        assert curve_chart(text, {text: [(1, 0.5)]}).count("<svg") == 1


@quick
@given(texts)
def test_kubeflows_metadata_is_sanitized_where_it_leaves(tmp_path_factory: Any, text: str) -> None:
    folder: Path = tmp_path_factory.mktemp("task")
    given_ = {
        "outputs": {
            "outputFile": str(folder / "o"),
            "artifacts": {"m": {"artifacts": [{"name": "m", "uri": "u"}]}},
        }
    }
    metadata = {text: text, "inner": {text: [text]}, **confusion_metadata([text, "b"], [[1, 2], [3, 4]])}
    Executor.parse(json.dumps(given_)).write({}, {"m": Artifact(metadata)})
    written = json.loads((folder / "o").read_text())
    assert all(obeyed(each) == [] for each in strings(written["artifacts"]["m"]["artifacts"][0]["metadata"]))


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(each for inner in value.values() for each in strings(inner))]
    if isinstance(value, list):
        return [each for inner in value for each in strings(inner)]
    return [value] if isinstance(value, str) else []


# --- recipes ---


def recipe(label: str, modality: str = "DX", file: str | None = None) -> str:
    model = {"builtin": "cnn-small"} if file is None else {"file": file}
    task = {"labels": [label, "b"], "image": {"modality": [modality]}}
    return json.dumps({"name": "x", "task": task, "model": model})


@quick
@given(texts)
def test_a_label_of_a_recipe_is_plain_or_refused(text: str) -> None:
    try:
        parsed = parse_recipe(recipe(text))
    except RecipeError as error:
        assert obeyed(str(error).replace("\n", "")) == []
        return
    (label, _) = parsed.task.labels
    assert 0 < len(label) <= 64 and is_plain(label) and not set(label) & set('<>[]&"`|\\{}')


@pytest.mark.parametrize(
    "text", [*(f"a{each}b" for each in HOSTILE if len(each) < 40), "x" * 65, " a", "a ", "e\u0301"]
)
def test_labels_that_do_something_are_refused(text: str) -> None:
    if text in ("aאאאb", "a\u0661b", "a:warning:b", "a'b"):
        parse_recipe(recipe(text))
        return
    with pytest.raises(RecipeError):
        parse_recipe(recipe(text))


@pytest.mark.parametrize("modality", ["dx", "X" * 17, "C\nT", "", " CT", "C[T", "CT\u202e"])
def test_a_modality_is_a_code_string_of_dicom(modality: str) -> None:
    with pytest.raises(RecipeError):
        parse_recipe(recipe("a", modality))


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../x.py", "a/../b.py", ".hidden", "a\n.py", "-x", "a b.py", "x" * 200]
)
def test_a_file_of_a_recipe_lies_below_it(file: str) -> None:
    with pytest.raises(RecipeError):
        parse_recipe(recipe("a", file=file))


def test_a_table_of_our_own_is_what_is_tested() -> None:
    """The tests above would see a trick: unsanitized cells break the form."""
    table = Table("x")
    table.add_row("\x1b[2Jevil")
    assert obeyed(printed(table).replace("\n", "")) != []


@quick
@given(texts)
def test_links_are_a_line_each(text: str) -> None:
    found = links([KubeflowRun(**dict.fromkeys(KubeflowRun.__dataclass_fields__, text))], text)
    assert [each for each in found if obeyed(each)] == []
