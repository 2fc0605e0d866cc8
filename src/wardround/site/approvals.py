"""Which plans may run at this hospital: named in the settings, or as files of a folder, signed if the hospital asks.

A signed approval is an envelope (`exchange.envelope`) of kind `plan-approval` by `data-steward`, bound to the
federation and the plan's digest, which names the hospital. It can be kept and carried anywhere: who changes it, or
copies it to another plan or hospital, breaks it.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from wardround.errors import RefusedError
from wardround.exchange.envelope import Binding, PublicKey, SigningKey, open_envelope, seal
from wardround.exchange.files import whole_file
from wardround.exchange.layout import check_digest
from wardround.site.settings import SiteSettings

_KIND, _SIGNER = "plan-approval", "data-steward"
_MAX_BYTES = 64 * 1024


class _Approval(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    site: str
    runs: Annotated[int, Field(ge=1)] | None = None


def write_approval(folder: Path, digest: str, content: bytes = b"") -> Path:
    """The approval's file in `folder`, whole or not at all. Raises RefusedError for what is no digest."""
    path = folder / check_digest(digest)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(content)
    return path


def sign_approval(digest: str, federation: str, site: str, key: SigningKey, runs: int | None = None) -> bytes:
    """The content of a signed approval, for so many runs or for any number. Raises ConfigurationError for names that
    are none."""
    binding = Binding(federation=federation, plan_digest=check_digest(digest))
    return seal(_KIND, _Approval(site=site, runs=runs), binding=binding, key=key, signer=_SIGNER)


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
    if _signed(file, settings, digest):
        return None
    return f"has an approval here ({file}) that no data steward of the settings has signed for this hospital"


def approved_runs(settings: SiteSettings, digest: str) -> int | None:
    """In how many runs an approved plan may be answered here; None for any number. Only a signed approval says one."""
    file = _file(settings, digest)
    if file is None or not settings.steward_keys:
        return None
    return min((each.runs for each in _signed(file, settings, digest) if each.runs is not None), default=None)


def _file(settings: SiteSettings, digest: str) -> Path | None:
    file = settings.approvals / digest if settings.approvals is not None else None
    return file if file is not None and file.is_file() else None


def _signed(file: Path, settings: SiteSettings, digest: str) -> list[_Approval]:
    """What the file says, once for each of the settings' keys that has signed it for this hospital."""
    data = file.read_bytes() if file.stat().st_size <= _MAX_BYTES else b""
    opened = (_open(data, settings, digest, PublicKey(key)) for key in settings.steward_keys)
    return [approval for approval in opened if approval is not None and approval.site == settings.site]


def _open(data: bytes, settings: SiteSettings, digest: str, key: PublicKey) -> _Approval | None:
    binding = Binding(federation=settings.federation, plan_digest=digest)
    try:
        opened = open_envelope(data, kind=_KIND, binding=binding, signer=_SIGNER, public_key=key)
        return opened.read(_Approval)
    except RefusedError:
        return None
