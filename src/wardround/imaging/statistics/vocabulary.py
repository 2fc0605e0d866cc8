"""The words that facts are told in, and how free text is cut down to them."""

import re
from collections.abc import Mapping
from functools import lru_cache

NOT_STATED = "not stated"
OTHER = "other"

SEXES: Mapping[str, str] = {"F": "female", "M": "male", "O": "other"}

# Defined terms of View Position for radiography (PS3.3 C.8.7.1, C.8.11.5) and mammography (CID 4014).
VIEWS = frozenset(
    (
        *("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "RPO", "LPO", "RAO", "LAO", "LAT", "LATERAL"),
        *("CC", "MLO", "ML", "LM", "LMO", "SIO", "FB", "RCC", "LCC", "RMLO", "LMLO", "XCCL", "XCCM", "CV"),
    )
)

# By the word that their names begin with or contain, in whatever way they write themselves.
_VENDORS: Mapping[str, str] = {
    "siemens": "Siemens",
    "ge": "GE",
    "general electric": "GE",
    "philips": "Philips",
    "canon": "Canon",
    "toshiba": "Toshiba",
    "fujifilm": "Fujifilm",
    "fuji": "Fujifilm",
    "agfa": "Agfa",
    "carestream": "Carestream",
    "kodak": "Kodak",
    "konica": "Konica Minolta",
    "hologic": "Hologic",
    "lorad": "Hologic",
    "samsung": "Samsung",
    "shimadzu": "Shimadzu",
    "hitachi": "Hitachi",
    "esaote": "Esaote",
    "mindray": "Mindray",
    "united imaging": "United Imaging",
    "uih": "United Imaging",
    "neusoft": "Neusoft",
    "swissray": "Swissray",
    "planmed": "Planmed",
    "ims": "IMS Giotto",
    "bruker": "Bruker",
    "varian": "Varian",
    "hyperfine": "Hyperfine",
    "wardround": "Wardround (generated)",
}
VENDORS = frozenset(_VENDORS.values())
_WORDS = {
    spelled: re.compile(rf"(?<![a-z]){re.escape(spelled)}(?![a-z])", re.IGNORECASE) for spelled in _VENDORS
}


# A hospital has few scanners and many files.
@lru_cache(1024)
def vendor(stated: str) -> str | None:
    """A manufacturer under its usual name, or None where it is none of the known."""
    return next((_VENDORS[spelled] for spelled, word in _WORDS.items() if word.search(stated)), None)


def clean(stated: str, longest: int) -> str:
    """Free text as letters, digits and a few signs, cut off; `not stated` if nothing is left."""
    kept = re.sub(r"[^A-Za-z0-9 .+/()-]+", " ", stated)
    return " ".join(kept.split())[:longest].strip() or NOT_STATED
