"""The shell of every report: one HTML file without scripts or addresses, which loads nothing from anywhere."""

from collections.abc import Iterable

from wardround.text import for_attribute, for_html

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .8rem; text-align: left; }
td.number, th.number { font-variant-numeric: tabular-nums; text-align: right; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
.charts svg { height: auto; max-width: 24rem; }
"""


def html_page(title: str, body: Iterable[str], style: str = "") -> str:
    """The whole file; the title is escaped, the parts of the body are HTML already."""
    head = f'<head><meta charset="utf-8"><title>{for_attribute(title)}</title><style>{STYLE}{style}</style></head>'
    return f'<!doctype html>\n<html lang="en">{head}<body>{"".join(body)}</body></html>\n'


def html_table(head: Iterable[str], rows: Iterable[str]) -> str:
    """A table; the headings are escaped, the rows are `<tr>` elements."""
    headings = "".join(f"<th>{for_html(text)}</th>" for text in head)
    return f"<table><thead><tr>{headings}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def html_row(texts: Iterable[object]) -> str:
    """A `<tr>` of escaped cells."""
    return "<tr>" + "".join(f"<td>{for_html(text)}</td>" for text in texts) + "</tr>"
