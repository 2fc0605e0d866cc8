"""Which plans may run at this hospital: named in the settings, or as files of a folder, signed if the hospital asks.

A signed approval is an envelope (`exchange.envelope`) of kind `plan-approval` by `data-steward`, bound to the
federation and the plan's digest, which names the hospital. It can be kept and carried anywhere: who changes it, or
copies it to another plan or hospital, breaks it.

Each says on what it rests: `verified`, the graphs are what the recipe compiles to here; `authors-own`, they are not, or
cannot be told; `not-verified`, nobody had looked, which is also what an approval means that says nothing.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wardround.errors import RefusedError
from wardround.exchange.envelope import Binding, PublicKey, SigningKey, open_envelope, seal
from wardround.exchange.files import whole_file
from wardround.exchange.layout import check_digest
from wardround.plan.verification import Basis
from wardround.site.settings import SiteSettings

_KIND, _SIGNER = "plan-approval", "data-steward"
_MAX_BYTES = 64 * 1024


class _Basis(BaseModel):
    """The content of an approval that nobody signed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    basis: Basis = "not-verified"


class _Approval(_Basis):
    site: str
    runs: Annotated[int, Field(ge=1)] | None = None


def write_approval(folder: Path, digest: str, content: bytes = b"") -> Path:
    """The approval's file in `folder`, whole or not at all. Raises RefusedError for what is no digest."""
    path = folder / check_digest(digest)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(content)
    return path


def unsigned_approval(basis: Basis) -> bytes:
    """The content of an approval that is a file by its name alone."""
    return _Basis(basis=basis).model_dump_json().encode()


def sign_approval(
    digest: str,
    federation: str,
    site: str,
    key: SigningKey,
    basis: Basis = "not-verified",
    runs: int | None = None,
) -> bytes:
    """The content of a signed approval, for so many runs or for any number. Raises ConfigurationError for names that
    are none."""
    binding = Binding(federation=federation, plan_digest=check_digest(digest))
    return seal(_KIND, _Approval(site=site, basis=basis, runs=runs), binding=binding, key=key, signer=_SIGNER)


def why_not_approved(settings: SiteSettings, digest: str) -> str | None:
    """What is missing before the plan may run here, or None if it may.

    With `steward_keys` in the settings only a file that one of them has signed counts; without, a file's name does,
    and so does the settings' own list.
    """
    if not settings.steward_keys:
        listed = digest in settings.approved_digests
        return None if listed or _file(settings, digest) is not None else "is not approved here"
    file = _file(settings, digest)
    if file is None:
        return "is not approved here by the data steward's signature"
    if _signed(_content(file), settings, digest):
        return None
    return f"has an approval here ({file}) that no data steward of the settings has signed for this hospital"


def approved_runs(settings: SiteSettings, digest: str) -> int | None:
    """In how many runs an approved plan may be answered here; None for any number. Only a signed approval says one."""
    file = _file(settings, digest)
    if file is None or not settings.steward_keys:
        return None
    return min(
        (each.runs for each in _signed(_content(file), settings, digest) if each.runs is not None),
        default=None,
    )


def basis_of_approval(settings: SiteSettings, digest: str) -> Basis:
    """On what this plan's approval rests, by its own words; `not-verified` for one that says nothing, and for none."""
    file = _file(settings, digest)
    data = _content(file) if file is not None else b""
    if settings.steward_keys:
        return next((each.basis for each in _signed(data, settings, digest)), "not-verified")
    try:
        return _Basis.model_validate_json(data).basis
    except ValidationError:
        return "not-verified"


def how_approved(settings: SiteSettings, digest: str) -> str:
    """How the plan stands with this hospital, in words for its page."""
    missing = why_not_approved(settings, digest)
    return missing or f"approved here, as {basis_of_approval(settings, digest)}"


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.stat().st_size <= _MAX_BYTES else b""


def _file(settings: SiteSettings, digest: str) -> Path | None:
    file = settings.approvals / digest if settings.approvals is not None else None
    return file if file is not None and file.is_file() else None


def _signed(data: bytes, settings: SiteSettings, digest: str) -> list[_Approval]:
    """What an approval says, once for each of the settings' keys that has signed it for this hospital."""
    opened = (_open(data, settings, digest, PublicKey(key)) for key in settings.steward_keys)
    return [approval for approval in opened if approval is not None and approval.site == settings.site]


def _open(data: bytes, settings: SiteSettings, digest: str, key: PublicKey) -> _Approval | None:
    binding = Binding(federation=settings.federation, plan_digest=digest)
    try:
        opened = open_envelope(data, kind=_KIND, binding=binding, signer=_SIGNER, public_key=key)
        return opened.read(_Approval)
    except RefusedError:
        return None
