"""What a data steward chooses: the options of PS3.15 E.3, as a YAML file. The defaults are the Basic Profile alone."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wardround.errors import ConfigurationError
from wardround.limited_files import read_limited

# Of the YAML file.
_MAX_BYTES = 1 << 20
# Code of the profile or option (CID 7050) and its meaning.
PROFILE = ("113100", "Basic Application Confidentiality Profile")
# Said of an object whose known regions were blackened and in the rest of which no text was found.
CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
CODES = {
    "structured_content": ("113104", "Clean Structured Content Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "longitudinal": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "safe_private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}


class Options(BaseModel):
    """Options of one de-identification; every one that is left out is the safest choice.

    dates: `remove` empties, replaces or removes them as the table says; `shift` moves all of a patient's by the
        same keyed number of whole days, so that intervals stay.
    times: of day, if dates are shifted: `keep` or `remove`.
    max_shift_days: dates move into the past by 1 to so many days.
    patient_characteristics: sex, age, size, weight, ethnic group, smoking, pregnancy are kept.
    device: serial numbers, station names and the like are kept.
    institution: its name, department and address are kept.
    uids: are kept as they are, so objects can be matched with the archive's.
    descriptors: descriptions and comments keep words that are in the dictionary of medical terms; all others go.
    structured_content: reports keep their tree, codes and numbers; texts, names and dates in it go.
    safe_private: the private elements that PS3.15 table E.3.10-1 calls safe are kept.
    keep_technical_text: descriptive text that equipment writes, such as a convolution kernel, is kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dates: Literal["remove", "shift"] = "remove"
    times: Literal["keep", "remove"] = "keep"
    max_shift_days: Annotated[int, Field(ge=30, le=36500)] = 3650
    patient_characteristics: bool = False
    device: bool = False
    institution: bool = False
    uids: bool = False
    descriptors: bool = False
    structured_content: bool = False
    safe_private: bool = False
    keep_technical_text: bool = True

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the options taken, in the order of their codes."""
        return tuple(name for name in CODES if self._takes(name))

    @property
    def codes(self) -> tuple[tuple[str, str], ...]:
        """Code and meaning (CID 7050) of the profile and of each option taken."""
        return (PROFILE, *(CODES[name] for name in self.chosen))

    @property
    def digest(self) -> str:
        """16 hex digits that name the choice."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def _takes(self, name: str) -> bool:
        return self.dates == "shift" if name == "longitudinal" else bool(getattr(self, name))


def load_options(path: Path | None) -> Options:
    """Reads the YAML file; without one, the defaults. Raises ConfigurationError that names the field."""
    if path is None:
        return Options()
    try:
        content = yaml.safe_load(read_limited(path, _MAX_BYTES, "file of options").decode("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"options {str(path)!r} cannot be read ({type(error).__name__}); give a YAML file"
        ) from error
    try:
        return Options.model_validate(content or {})
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(
            f"options {str(path)!r} are not legal: {found}; legal: {', '.join(Options.model_fields)}"
        ) from error
