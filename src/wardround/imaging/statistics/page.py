"""The hospital's own page: what went in, what the model will see, what was left out. It stays in the hospital."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from wardround.imaging.statistics.charts import histogram_chart
from wardround.imaging.statistics.facts import DIMENSIONS
from wardround.imaging.statistics.model import Statistics
from wardround.imaging.statistics.pictures import Sample, png_uri
from wardround.imaging.statistics.remarks import remarks
from wardround.imaging.statistics.vocabulary import NOT_STATED
from wardround.pages import html_page, html_table
from wardround.text import for_attribute, for_html

Samples = Mapping[tuple[str, str], Sample]

# A table with more values shows the most frequent ones.
_ROWS = 20
STYLE = """
thead th + th { text-align: right; } .number small { color: #666; }
.facts, .dimensions { display: flex; flex-wrap: wrap; gap: 0 3rem; }
.dimensions table { margin-top: .2rem; } .dimensions h3 { margin: 1rem 0 0; }
.remarks li { margin: .3rem 0; } .note { color: #555; }
.sheet { display: flex; flex-wrap: wrap; gap: 3px; margin: .2rem 0 1rem; }
.sheet img { background: #000; height: auto; image-rendering: auto; width: 128px; }
td.bar { background: linear-gradient(to right, #cfe2f3 var(--share), transparent var(--share)); }
"""


def own_page(found: Statistics, samples: Samples) -> str:
    """The page; `samples` are by split and label."""
    body = [
        f"<h1>{for_html(page_title(found.labels))}</h1>",
        '<p class="note">For the people of this hospital. This page shows images and small numbers: '
        "it must not leave the hospital.</p>",
        *_remarks(found),
        f"<h2>{found.unit.capitalize()}s by label and split</h2>{_overview(found)}",
        *_sheets(found, samples),
        *_histograms(found, samples),
        *_dimensions(found),
        *_left_out(found),
    ]
    return html_page(page_title(found.labels), body, STYLE)


def page_title(labels: Sequence[str]) -> str:
    """What the data is for."""
    return f"Data for training: {', '.join(labels)}"


def _remarks(found: Statistics) -> Iterator[str]:
    said = "".join(f"<li>{for_html(remark)}</li>" for remark in remarks(found))
    yield f'<h2>Worth a look</h2><ul class="remarks">{said or "<li>Nothing stands out.</li>"}</ul>'


def _overview(found: Statistics) -> str:
    images, patients = _by(found.images(), 1), _by(found.patients(), 1)
    rows = []
    for split in (*found.splits, "all"):
        chosen = found.splits if split == "all" else (split,)
        pairs = [
            tuple(sum(counts[each, label] for each in chosen) for counts in (images, patients))
            for label in found.labels
        ]
        total = tuple(map(sum, zip(*pairs, strict=True)))
        cells = "".join(f'<td class="number">{_pair(*pair)}</td>' for pair in (*pairs, total))
        rows.append(f"<tr><td>{for_html(split)}</td>{cells}</tr>")
    note = f'<p class="note">{found.unit.capitalize()}s, and in small print patients.</p>'
    return html_table(("split", *found.labels, "all"), rows) + note


def _pair(images: int, patients: int) -> str:
    return f"{images:,} <small>{patients:,}</small>"


def _sheets(found: Statistics, samples: Samples) -> Iterator[str]:
    yield "<h2>What the model will see</h2>"
    of_volumes = " Each strip shows three slices of one volume." if found.unit == "volume" else ""
    yield f'<p class="note">Chosen at random, as they are after preparation.{of_volumes}</p>'
    for split in found.splits:
        for label in found.labels:
            pictures = samples[split, label].images
            if pictures:
                shown = "".join(
                    f'<img alt="{for_attribute(label)}, {for_attribute(split)}" src="{png_uri(picture)}">'
                    for picture in pictures
                )
                yield f'<h3>{for_html(label)} <small>{for_html(split)}</small></h3><div class="sheet">{shown}</div>'


def _histograms(found: Statistics, samples: Samples) -> Iterator[str]:
    yield "<h2>Brightness</h2>"
    yield '<p class="note">Share of pixels by brightness. Where labels differ as a whole, a model may learn that.</p>'
    for kind, values, others in (
        ("split", found.splits, found.labels),
        ("label", found.labels, found.splits),
    ):
        charts = []
        for value in values:
            lines = {
                other: samples[(value, other) if kind == "split" else (other, value)].shares.tolist()
                for other in others
                if samples[(value, other) if kind == "split" else (other, value)].counted
            }
            if lines:
                charts.append(histogram_chart(value, lines))
        yield f'<h3>by {kind}</h3><div class="charts">{"".join(charts)}</div>'


def _dimensions(found: Statistics) -> Iterator[str]:
    values = {
        dimension: sorted({value for (value, _, _), count in found.images(dimension).items() if count})
        for dimension in DIMENSIONS
    }
    varied = [dimension for dimension, each in values.items() if len(each) > 1]
    tables = "".join(f"<div><h3>{title_of(name)}</h3>{_dimension(found, name)}</div>" for name in varied)
    yield f"<h2>Where the {found.unit}s come from</h2>"
    if same := [f"{title_of(name).lower()}: {each[0]}" for name, each in values.items() if len(each) == 1]:
        yield f"<p>The same for all: {for_html('; '.join(same))}.</p>"
    if varied:
        yield f'<p class="note">{found.unit.capitalize()}s under each label; bars are shares of the label. '
        yield "In small print patients, each counted once, at the rarest of their labels.</p>"
        yield f'<div class="dimensions">{tables}</div>'


def title_of(dimension: str) -> str:
    """A dimension's name for people."""
    known = {"age": "Age", "size": "Longest side as acquired", "bits": "Bits stored"}
    return known.get(dimension, dimension.capitalize())


def _dimension(found: Statistics, dimension: str) -> str:
    images, patients = _by(found.images(dimension), 0), _by(found.patients(dimension), 0)
    sums = _by(found.images(), 1)
    of_label = {label: sum(sums[split, label] for split in found.splits) for label in found.labels}
    totals = Counter[str]()
    for (value, _), count in images.items():
        totals[value] += count
    ordered = _in_order(totals, dimension)
    rows = []
    for value in ordered:
        cells = "".join(
            f'<td class="number bar" style="--share:{images[value, label] / max(1, of_label[label]):.1%}">'
            f"{_pair(images[value, label], patients[value, label])}</td>"
            for label in found.labels
        )
        rows.append(f"<tr><td>{for_html(value)}</td>{cells}<td class='number'>{totals[value]:,}</td></tr>")
    left = len(totals) - len(ordered)
    more = f'<p class="note">and {left} more, each with fewer</p>' if left else ""
    return html_table(("", *found.labels, "all"), rows) + more


def _in_order(totals: Mapping[str, int], dimension: str) -> list[str]:
    """The most frequent values: by frequency where they are names, in their own order where they have one."""
    kept = sorted(totals, key=lambda value: (-totals[value], value))[:_ROWS]
    if dimension in ("year", "age", "size", "bits"):
        kept.sort(key=_natural)
    return kept


def _natural(value: str) -> tuple[bool, int, str]:
    digits = re.search(r"\d+", value)
    return value == NOT_STATED, int(digits[0]) if digits else 0, value


def _left_out(found: Statistics) -> Iterator[str]:
    refused = sum(found.refusals.values())
    yield f"<h2>What was left out</h2><p>{refused:,} of {found.files:,} files are not used"
    yield ". They are listed in <code>refusals.csv</code> beside the dataset.</p>" if refused else ".</p>"
    yield _list("why", "files", found.refusals)
    if found.quarantine:
        yield "<h2>Quarantine</h2><p>Waiting for a person to look at them:</p>"
        yield _list("why", "files", found.quarantine)
    yield "<h2>The label table</h2>"
    yield f"<p>{sum(found.rows.values()):,} rows:</p>" + _list("what became of them", "rows", found.rows)


def _list(what: str, counted: str, counts: Mapping[str, int]) -> str:
    ordered: Iterable[tuple[str, int]] = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = (
        f'<tr><td>{for_html(code.replace("-", " "))}</td><td class="number">{count:,}</td></tr>'
        for code, count in ordered
    )
    return html_table((what, counted), rows) if counts else ""


def _by(counts: Mapping[tuple[str, str, str], int], place: int) -> Counter[tuple[str, str]]:
    """Summed by one of (value, split) and label."""
    summed = Counter[tuple[str, str]]()
    for key, count in counts.items():
        summed[key[place], key[2]] += count
    return summed
