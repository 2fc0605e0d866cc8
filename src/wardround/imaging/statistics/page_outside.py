"""The page that may leave a hospital: patients by ten and more, no pictures, no device that was not allowed."""

from collections.abc import Iterator, Mapping

from wardround.imaging.statistics.charts import histogram_chart
from wardround.imaging.statistics.page import STYLE, page_title, title_of
from wardround.imaging.statistics.pictures import Sample
from wardround.imaging.statistics.suppression import SMALLEST, SPLIT, Outside, Table
from wardround.pages import html_page, html_table
from wardround.text import for_html

HIDDEN = "·"


def outside_page(found: Outside, samples: Mapping[tuple[str, str], Sample]) -> str:
    """The page. Of the samples only histograms are used, and only where the number of patients is shown."""
    body = [
        f"<h1>{for_html(page_title(found.labels))}</h1>",
        f'<p class="note">Patients, each counted once. “{HIDDEN}” stands for a number below {SMALLEST}, or for one '
        "from which such a number could be computed. Rows have no sums for the same reason.</p>",
        '<div class="dimensions">',
        *(
            f"<div><h3>{title_of(dimension)}</h3>{_table(table, found.labels)}</div>"
            for dimension, table in found.tables.items()
        ),
        "</div>",
        *_histograms(found, samples),
        *_refusals(found),
    ]
    return html_page(page_title(found.labels), body, STYLE)


def number(count: int | None) -> str:
    """A number, or the mark of a hidden one."""
    return HIDDEN if count is None else f"{count:,}"


def _table(table: Table, labels: tuple[str, ...]) -> str:
    rows = [(value, [table.cells[value, label] for label in labels]) for value in table.rows]
    rows.append(("all", [table.sums[label] for label in labels]))
    return html_table(("", *labels), (_row(value, counts) for value, counts in rows))


def _row(value: str, counts: list[int | None]) -> str:
    cells = "".join(f'<td class="number">{number(count)}</td>' for count in counts)
    return f"<tr><td>{for_html(value)}</td>{cells}</tr>"


def _histograms(found: Outside, samples: Mapping[tuple[str, str], Sample]) -> Iterator[str]:
    charts = []
    for split in found.tables[SPLIT].rows:
        # To a tenth of a percent: the exact share of pixels could tell how many images there are.
        lines = {
            label: [round(share, 3) for share in samples[split, label].shares.tolist()]
            for label in found.labels
            if found.shows(split, label)
        }
        if lines:
            charts.append(histogram_chart(split, lines))
    if charts:
        yield '<h2>Brightness</h2><p class="note">Share of pixels by brightness.</p>'
        yield f'<div class="charts">{"".join(charts)}</div>'


def _refusals(found: Outside) -> Iterator[str]:
    for title, counts in (("Files that were left out", found.refusals), ("Quarantine", found.quarantine)):
        if counts:
            rows = (_row(reason.replace("-", " "), [count]) for reason, count in sorted(counts.items()))
            yield f"<h2>{title}</h2>{html_table(('why', 'files'), rows)}"
