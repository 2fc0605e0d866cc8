"""Which lines of text are harmless: the marks that radiographers put beside the body.

Nearly every X-ray shows which side is left, and many how the patient lay. A line is harmless if it is one or two
letters, or if all its words are on the list; what can't be read but looks like a line of text is not harmless.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from wardround.imaging.burned_in.network import Line, Reading

_LISTED = """
    L R A P D S G LT RT LL RL AP PA LAT LAO RAO LPO RPO CC MLO LCC RCC LMLO RMLO LML RML LLAT RLAT ML LM XCCL
    LEFT RIGHT LATERAL PORTABLE MOBILE BEDSIDE ERECT SEMIERECT SEMI UPRIGHT SUPINE PRONE SITTING STANDING DECUB
    DECUBITUS FLEXION EXTENSION INSPIRATION EXPIRATION INSP EXP WEIGHT BEARING WEIGHTBEARING PRE POST MIN SEC CHEST
    LINKS RECHTS LIEGEND STEHEND SITZEND BETT BETTAUFNAHME LIEGENDAUFNAHME AUFNAHME
    GAUCHE DROITE COUCHE DEBOUT ASSIS IZQUIERDA DERECHA DESTRA SINISTRA KV CM MM HU
"""
HARMLESS = frozenset(_LISTED.split())
# A line that is this many times as long as high is text even if nobody can read it.
_LONG = 2.5
# One or two letters may stand far apart, as on a marker with a plumb line.
_LONG_PAIR = 3.5
# What is shorter, and has few letters, is text only if it is read without doubt: edges and wires resemble letters.
_FEW, _CERTAIN, _SURE = 4, 0.9, 0.5
# How sure the finder is of print, even of five pixels; of folds in noise, which can't be read either, it is less so.
_VISIBLE = 0.7
# Print is read so surely that there is no need to turn and mirror it.
_CLEAR = 0.97
# Letters of lead are read with mistakes; the longer the word, the less a name resembles it by chance.
_ALIKE = ((8, 0.74), (6, 0.83))


def is_harmless(
    line: Line, readings: Iterable[Reading], words: frozenset[str] = HARMLESS, *, large: bool = False
) -> bool:
    """Whether a line can't tell who the patient is; it is read again and again until that is clear.

    One reading that is all marks is enough, since a name isn't read as one; else the surest reading counts.
    large: letters of this size would be read if they were letters, so what is unread is harmless.
    """
    best = Reading("", 0.0)
    for reading in readings:
        if _is_marks(reading, words):
            return True
        best = max(best, reading, key=lambda candidate: candidate.score)
        if reading.score >= _CLEAR and sum(map(len, _words(reading))) > 2:
            break
    letters = sum(map(len, _words(best)))
    if large:
        return letters <= 2 or best.score < _CERTAIN
    if letters <= 2:
        return elongation(line) < _LONG_PAIR or line.score < _VISIBLE
    return elongation(line) < _LONG and best.score < (_CERTAIN if letters <= _FEW else _SURE)


def elongation(line: Line) -> float:
    """How many times a line is as long as it is high, lying or standing."""
    width, height = line.right - line.left, line.bottom - line.top
    return max(width, height) / max(min(width, height), 1e-6)


def _words(reading: Reading) -> list[str]:
    return [word for word in re.split(r"[\W_]+", reading.text.upper()) if word]


def _is_marks(reading: Reading, words: frozenset[str]) -> bool:
    found = _words(reading)
    return (
        bool(found)
        and all(_listed(word, words) for word in found)
        and (sum(map(len, found)) > 2 or reading.score >= _SURE)
    )


def _listed(word: str, words: frozenset[str]) -> bool:
    return word in words or any(_resembles(word, known) for known in words)


def _resembles(word: str, known: str) -> bool:
    bound = next((bound for length, bound in _ALIKE if len(known) >= length), None)
    if bound is None or abs(len(word) - len(known)) > 2:
        return False
    return SequenceMatcher(None, word, known).ratio() >= bound
