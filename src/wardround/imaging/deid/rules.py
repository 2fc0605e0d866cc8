"""Rules: the data steward's options and the site's key, ready for use; and the account of what they did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from wardround.imaging.deid.options import Options
from wardround.imaging.deid.policy import Action, actions
from wardround.imaging.deid.pseudonyms import Pseudonyms


@dataclass(frozen=True)
class Rules:
    """What one de-identification depends on, besides the object."""

    options: Options
    pseudonyms: Pseudonyms

    @classmethod
    def of(cls, options: Options, key: bytes) -> "Rules":
        """Rules of options and the key's bytes."""
        return cls(options, Pseudonyms(key))

    @cached_property
    def actions(self) -> Mapping[int, Action]:
        """The action of each attribute by tag; any other tag is removed."""
        return actions(self.options)


@dataclass(frozen=True)
class Account:
    """How many elements each action met, by the names below; never a value.

    kept, removed, emptied, replaced (by a dummy), cleaned, uid (mapped), shifted (dates), pseudonym, and of the
    removed: private, unknown (in no dictionary), unreadable (not of the form its type demands);
    swept: replaced because a trace of a person stood in it. unchanged: the object was this site's output before.
    masked: parts of its pixels were blackened.
    """

    counts: Mapping[str, int]
    unchanged: bool = False
    masked: bool = False

    @classmethod
    def of(cls, counts: Counter[str], *, unchanged: bool = False, masked: bool = False) -> "Account":
        """An account of counters, those at zero left out."""
        return cls({name: count for name, count in sorted(counts.items()) if count}, unchanged, masked)
