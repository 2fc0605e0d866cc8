"""Palettes (PS3.3 C.7.6.3.1.5 and C.7.9): what grey a stored value stands for.

pydicom's own function takes big-endian tables for little-endian ones and expands segments without a bound.
"""

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

_COLOURS = ("Red", "Green", "Blue")
PALETTE_TAGS = tuple(
    f"{kind}{colour}PaletteColorLookupTable{part}"
    for colour in _COLOURS
    for kind, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def read_palette(dataset: Dataset) -> tuple[np.ndarray, int, float]:
    """The palette's red, green and blue [3, entries], the stored value of its first entry, its largest value.

    Raises ValueError, TypeError, KeyError or AttributeError if there is no usable palette.
    """
    entries, first, depth = (int(part) for part in dataset.RedPaletteColorLookupTableDescriptor)
    # PS3.3 C.7.6.3.1.5: a number of entries of 2^16 does not fit, and is written as 0.
    entries = entries % 65536 or 65536
    tables = np.stack([_table(dataset, colour, entries, depth) for colour in _COLOURS])
    # Some write 8 bit entries and say that they are 16 bits wide, or the other way round.
    top = 255.0 if tables.max() <= 255 else 65535.0
    return tables, first, top


def _table(dataset: Dataset, colour: str, entries: int, depth: int) -> np.ndarray:
    plain = dataset.get(f"{colour}PaletteColorLookupTableData")
    if plain:
        words = _words(dataset, bytes(plain), wide=len(plain) >= 2 * entries)
        if len(words) < entries:
            raise ValueError("a table with fewer entries than said")
        return words[:entries].astype(np.uint16)
    raw = bytes(dataset[f"Segmented{colour}PaletteColorLookupTableData"].value)
    return np.array(_expanded(_words(dataset, raw, wide=depth > 8), entries), np.uint16)


def _words(dataset: Dataset, raw: bytes, *, wide: bool) -> np.ndarray:
    big = not dataset.file_meta.TransferSyntaxUID.is_little_endian
    whole = raw[: len(raw) // 2 * 2]
    if wide:
        return np.frombuffer(whole, ">u2" if big else "<u2")
    # Two entries share a word, whose bytes a big-endian file swaps.
    return np.frombuffer(whole, "u2").byteswap().view(np.uint8) if big else np.frombuffer(raw, np.uint8)


def _expanded(words: np.ndarray, entries: int) -> list[int]:
    values: list[int] = []
    for kind, given in _segments(words.tolist(), 0, len(words)):
        if kind == _DISCRETE:
            values += given
        elif values:
            length, end = given
            steps = np.linspace(values[-1], end, length + 1)[1:]
            values += [int(step) for step in np.rint(steps)]
        else:
            raise ValueError("a line without a beginning")
        if len(values) > entries:
            raise ValueError("more entries than said")
    if len(values) < entries:
        raise ValueError("fewer entries than said")
    return values


def _segments(
    words: list[int], at: int, count: int, *, direct: bool = False
) -> Iterator[tuple[int, list[int]]]:
    """Up to `count` segments from place `at`: discrete with their values, linear with length and end."""
    while count and at + 2 < len(words):
        kind, length = words[at], words[at + 1]
        if kind == _DISCRETE:
            yield kind, words[at + 2 : at + 2 + length]
            at += 2 + length
        elif kind == _LINEAR:
            yield kind, [length, words[at + 2]]
            at += 3
        # PS3.3 C.7.9.2.3: what an indirect segment points to holds no other.
        elif kind == _INDIRECT and not direct and at + 3 < len(words):
            offset = words[at + 2] | words[at + 3] << 16
            yield from _segments(words, offset // 2, length, direct=True)
            at += 4
        else:
            raise ValueError("no segment")
        count -= 1
