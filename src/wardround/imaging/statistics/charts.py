"""Histograms as inline SVG, drawn without a library: the hospital's image has none for it."""

import math
from collections.abc import Mapping, Sequence

from wardround.text import for_attribute

# Colours that people with any colour vision tell apart (Okabe and Ito).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 300, 200, 38, 292, 42, 162
_KEY_WIDTH = 85


def histogram_chart(title: str, lines: Mapping[str, Sequence[float]]) -> str:
    """Shares of pixels by brightness: name → shares of equal bins of [0, 1] → SVG element.

    The scale is a square root, for most pixels are background; it ends at the highest of the bins between black
    and white.
    """
    inner = [share for shares in lines.values() for share in shares[1:-1]]
    top = max(inner, default=0) or 1
    drawn = "".join(
        _line(shares, top, _COLOURS[place % len(_COLOURS)]) + _key(name, place)
        for place, (name, shares) in enumerate(lines.items())
    )
    ticks = "".join(
        f'<text x="{_LEFT - 4}" y="{_height(share, top) + 4:.1f}" text-anchor="end">{share:.1%}</text>'
        for share in (top, top / 4)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11"><title>{for_attribute(title)}</title>'
        f'<text x="{_LEFT}" y="14" font-weight="bold" font-size="12">{for_attribute(title)}</text>'
        f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" fill="none" stroke="#888"/>{drawn}{ticks}'
        f'<text x="{_LEFT}" y="{_BOTTOM + 14}">black</text>'
        f'<text x="{_RIGHT}" y="{_BOTTOM + 14}" text-anchor="end">white</text>'
        f'<text x="{(_LEFT + _RIGHT) / 2}" y="{_BOTTOM + 28}" text-anchor="middle">brightness</text></svg>'
    )


def _height(share: float, top: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * math.sqrt(min(1.0, share / top))


def _line(shares: Sequence[float], top: float, colour: str) -> str:
    step = (_RIGHT - _LEFT) / len(shares)
    points = " ".join(
        f"{_LEFT + step * (place + 0.5):.1f},{_height(share, top):.1f}" for place, share in enumerate(shares)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>'


def _key(name: str, place: int) -> str:
    x, colour = _LEFT + _KEY_WIDTH * place, _COLOURS[place % len(_COLOURS)]
    short = for_attribute(name, 11)
    return (
        f'<path d="M{x} 26h12" stroke="{colour}" stroke-width="2.5"/><text x="{x + 16}" y="30">{short}</text>'
    )
