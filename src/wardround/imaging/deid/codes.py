"""Coded terms: a code stays only if the dictionary knows it, and then with the dictionary's own meaning.

What a scanner or a person typed beside a code is never kept. The dictionary is pydicom's (the context groups of
PS3.16); it is loaded at the first code, which takes about a second.
"""

from functools import cache
from typing import NamedTuple

from wardround.imaging.deid.words import words


class Term(NamedTuple):
    """A coded term as PS3.3 8.8 writes it: value, scheme and meaning."""

    value: str
    scheme: str
    meaning: str


# Words of imaging that the dictionary lacks or writes with a capital.
_IMAGING = words(
    "adc ap axial bilateral bone cor coronal cta ctv diffusion dixon dwi elbow epi fat flair fov fs gre hip kv lat "
    "liver localizer localiser lung mediastinum mip mpr mr mra mri oblique pa pelvis perfusion phase portable post "
    "pre pd recon sag sagittal sat scout se shoulder spin stir supine prone thin thick topogram tra transverse tse "
    "t1 t2 urogram us upright venous arterial wo w wrist xr 2d 3d"
)
# Words of medicine that are surnames too.
_SURNAMES = words(
    "black brown green white gray grey lee long short young old king hand foot head banks barker bell best bishop "
    "bond bush case church cole cook cross day dean fields fisher fox frost glass gold grant hall hill home house "
    "hunt land lane law low major mark marsh may miller moon parks pole pond poole porter price reed reid rice "
    "rich rose sharp silver singer small snow stone street summers sweet tanner walker wall ward waters webb west "
    "winter wise wood woods wright bird nail"
)
# SNOMED's older codes (SRT and its other names) stand for the same concepts as SCT's.
_OLD_SNOMED = frozenset({"SRT", "SNM3", "99SDM"})


def verified(value: str, scheme: str) -> Term | None:
    """The term of a code, or None if the dictionary has no such code."""
    if scheme in _OLD_SNOMED:
        return _old_snomed(value, scheme)
    meaning = _meanings().get(scheme, {}).get(value)
    return None if meaning is None else Term(value, scheme, meaning)


@cache
def vocabulary() -> frozenset[str]:
    """The words of all meanings in lower case: terms of medicine and imaging, and no names of people.

    A word that the dictionary only ever writes with a capital inside a meaning may be an eponym, and is left out.
    """
    capital: set[str] = set()
    small: set[str] = set()
    for meanings in _meanings().values():
        for meaning in meanings.values():
            words = [word for word in meaning.replace("/", " ").replace("-", " ").split() if word.isalpha()]
            for place, word in enumerate(words):
                (small if word.islower() or place == 0 else capital).add(word.lower())
    return frozenset(small - (capital - _lower_inside()) - _SURNAMES | _IMAGING)


@cache
def _lower_inside() -> frozenset[str]:
    return frozenset(
        word
        for meanings in _meanings().values()
        for meaning in meanings.values()
        for word in meaning.split()
        if word.isalpha() and word.islower()
    )


@cache
def _meanings() -> dict[str, dict[str, str]]:
    from pydicom.sr._concepts_dict import concepts

    known: dict[str, dict[str, dict[str, tuple[str, list[int]]]]] = concepts  # type: ignore[assignment]
    return {
        scheme: {code: found[0] for codes in keywords.values() for code, found in codes.items()}
        for scheme, keywords in known.items()
    }


def _old_snomed(value: str, scheme: str) -> Term | None:
    from pydicom.sr._snomed_dict import mapping

    new = mapping["SRT"].get(value)
    meaning = _meanings()["SCT"].get(new) if new else None
    return None if meaning is None else Term(value, scheme, meaning)
