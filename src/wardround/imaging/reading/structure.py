"""A quick look at a file's structure: how deep sequences nest and how many elements there are.

Parsers recurse and keep every element of a sequence, so both are counted before one sees the file. The walk takes
no value and needs no dictionary; where it cannot follow, it stops, and leaves the verdict to the parser.
"""

from mmap import mmap
from struct import Struct

from wardround.imaging.reasons import Reason, Refusal

MAX_DEPTH = 64
MAX_ELEMENTS = 500_000
# A parser makes a data set of each item. An object of 10,000 frames with ten functional groups has 110,000.
MAX_ITEMS = 150_000
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# Pixel data in its three kinds, the last elements of interest at top level (PS3.6).
_PIXELS = 0x7FE00008
# PS3.5 section 7.1.2: in these the length takes 32 bits.
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN"}
    | {b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)
_FRAGMENTS = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV"})


def check_structure(
    data: bytes | bytearray | mmap, at: int, *, implicit: bool, big_endian: bool = False
) -> None:
    """Walks the elements of `data` from `at` up to the pixel data. Raises Refusal (too deep, too many)."""
    _Walk(data, at, implicit, ">" if big_endian else "<").run()


class _Walk:
    def __init__(self, data: bytes | bytearray | mmap, at: int, implicit: bool, order: str) -> None:
        self.data, self.at, self.implicit = data, at, implicit
        self.short, self.long = Struct(f"{order}HH2sH"), Struct(f"{order}HHI")
        self.length = Struct(f"{order}I")
        # Where each open sequence or item ends (None where a delimiter ends it), and whether it holds fragments.
        self.open: list[tuple[int | None, bool]] = []
        self.depth = self.elements = self.items = 0

    def run(self) -> None:
        size = len(self.data)
        while self.at + 8 <= size:
            while self.open and self.open[-1][0] is not None and self.at >= self.open[-1][0]:
                self._close()
            if self.at + 8 > size:
                return
            if not self.implicit and self._pass_plain():
                continue
            group, number, length = self.long.unpack_from(self.data, self.at)
            tag = group << 16 | number
            if group == 0xFFFE:
                self._delimiter(tag, length)
            elif tag >= _PIXELS and not self.open:
                return
            else:
                self._element(length)

    def _pass_plain(self) -> int:
        """Passes elements of short lengths, which are the most of a header, with little ado; says how many."""
        end = self.open[-1][0] if self.open else None
        last = (len(self.data) if end is None else min(end, len(self.data))) - 8
        at, count, data, unpack = self.at, 0, self.data, self.short.unpack_from
        while at <= last:
            group, _, kind, length = unpack(data, at)
            if kind not in _SHORT or group > 0x7FDF:
                break
            at += 8 + length
            count += 1
        self.at, self.elements = at, self.elements + count
        if self.elements > MAX_ELEMENTS:
            raise Refusal(Reason.TOO_MANY)
        return count

    def _delimiter(self, tag: int, length: int) -> None:
        self.at += 8
        if tag == _ITEM:
            if self.open and self.open[-1][1]:
                self.at += length
            else:
                self.items += 1
                if self.items > MAX_ITEMS:
                    raise Refusal(Reason.TOO_MANY)
                self._enter(length, fragments=False)
        elif tag in (_ITEM_END, _SEQUENCE_END) and self.open:
            self._close()

    def _element(self, length: int) -> None:
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise Refusal(Reason.TOO_MANY)
        kind, header = b"", 8
        if not self.implicit:
            kind = bytes(self.data[self.at + 4 : self.at + 6])
            if kind in _LONG:
                if self.at + 12 > len(self.data):
                    self.at += 12
                    return
                length, header = self.length.unpack_from(self.data, self.at + 8)[0], 12
            elif kind.isalpha() and kind.isupper():
                length = self.short.unpack_from(self.data, self.at)[3]
            else:
                kind = b""
        self.at += header
        if length == _UNDEFINED or kind == b"SQ" or (not kind and self._holds_items(length)):
            self._enter(length, fragments=kind in _FRAGMENTS)
        else:
            self.at += length

    def _holds_items(self, length: int) -> bool:
        if length < 8 or self.at + 8 > len(self.data):
            return False
        group, number, _ = self.long.unpack_from(self.data, self.at)
        return bool((group << 16 | number) == _ITEM)

    def _enter(self, length: int, *, fragments: bool) -> None:
        # A sequence and its item are two levels here, one for the standard.
        self.depth += 1
        if self.depth > 2 * MAX_DEPTH:
            raise Refusal(Reason.TOO_DEEP)
        self.open.append((None if length == _UNDEFINED else self.at + length, fragments))

    def _close(self) -> None:
        self.open.pop()
        self.depth -= 1
