"""A site's settings: from a YAML or JSON file, single fields from the environment."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from wardround.errors import ConfigurationError
from wardround.limited import read_text_limited
from wardround.processes import load_settings
from wardround.yaml_text import LIMIT, parse_yaml


def _read(chosen: Any) -> Any:
    """The content of a YAML file, where a file is named; everything else as it is."""
    if not isinstance(chosen, str):
        return chosen
    try:
        return parse_yaml(read_text_limited(Path(chosen), LIMIT))
    except ConfigurationError:
        raise ValueError("neither a mapping nor the path of a YAML file that can be read") from None


class PrivacyBudget(BaseModel):
    """What all training together may reveal of a patient: epsilon and delta of differential privacy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epsilon: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    delta: Annotated[float, Field(gt=0, lt=1)]


class SiteSettings(BaseModel):
    """What a site needs to know to take part in one run.

    `run`: its name; empty picks the newest open one, and `run_id`, an id that a job keeps when it is started again
    (Kubeflow's of its own run), makes it keep its pick. `exchange`: a folder or an S3 address; the S3 identity comes
    from the environment (`wardround.exchange.settings`). `key_file`: the site's Ed25519 key (PEM, PKCS #8).
    `coordinator_key`: the coordinator's public key, 64 hexadecimal digits, as agreed outside of the exchange.
    `data`: a folder of shards, which training needs. `work`: a folder for the plan and finished updates; losing it
    costs time only, but for the split key and the patients' splits that are kept in it: back those up.
    `approved_digests`, `approvals`: the plans that may run here, named, or as files `<digest>` in a folder.
    `steward_keys`: public keys, 64 hexadecimal digits each; if there are any, only a file that one has signed counts.
    `privacy_budget`: with one, no plan may run here that is trained without differential privacy, approved or not.
    `max_plan_mb`: MiB that the graphs of a plan may have; they are fetched when it is approved, or to be looked at.
    `verify`: whether a plan's recipe is compiled again here before approval is asked: `if-possible` where a compiler is
    set up, `always` refuses a plan that is not verified, `never` does nothing; `verify_wait_s`: how long it may take.
    `start_wait_s`: how long to wait for the run to be opened; `round_wait_s`: for the next round;
    `outage_s`: for an exchange that is away. `dicom`: where the images are, a folder, `s3://bucket/prefix` or
    `https://archive/dicom-web`; `select`: what to take from there, a mapping or a YAML file with one
    (`wardround.imaging.sources.settings` has the fields). `labels`: the label table (CSV); `label_encoding`: often
    cp1252 where it is not UTF-8. `split_key`: the secret that assigns patients to splits, made in `work` without one.
    `burned_in`: `quarantine` holds back images that may show who the patient is, until a person has looked
    (`wardround quarantine`); `ignore` looks at none. `devices`: a catalogue of the hospital's own devices that
    write into images; `harmless_words`: what may stand in an image. `keep_error_texts`: keep what libraries say
    when they fail, in files below `work/error-texts` that only this user may read. They may quote patients' data, and
    have no limit of size: for finding out, and to be deleted then. `follow_links`: follow
    symbolic links in the folder of images, wherever they lead; without it none is followed, and they are counted as
    refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    federation: str
    site: str
    run: str = ""
    run_id: str = ""
    exchange: str
    key_file: Path
    coordinator_key: str
    data: Path | None = None
    work: Path
    approved_digests: tuple[str, ...] = ()
    approvals: Path | None = None
    steward_keys: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")], ...] = ()
    privacy_budget: PrivacyBudget | None = None
    max_plan_mb: Annotated[int, Field(ge=1, le=1 << 20)] = 1024
    verify: Literal["always", "if-possible", "never"] = "if-possible"
    verify_wait_s: Annotated[float, Field(gt=0)] = 1800.0
    start_wait_s: Annotated[float, Field(ge=0)] = 3600.0
    round_wait_s: Annotated[float, Field(ge=0)] = 86400.0
    outage_s: Annotated[float, Field(ge=0)] = 600.0
    threads: Annotated[int, Field(ge=1)] | None = None
    dicom: str | None = None
    select: Annotated[dict[str, Any], BeforeValidator(_read)] = {}
    labels: Path | None = None
    label_encoding: str = "utf-8"
    split_key: Path | None = None
    burned_in: Literal["quarantine", "ignore"] = "quarantine"
    devices: Path | None = None
    harmless_words: tuple[str, ...] = ()
    keep_error_texts: bool = False
    follow_links: bool = False

    @classmethod
    def load(cls, path: Path) -> "SiteSettings":
        """The settings in a YAML or JSON file; WARDROUND_SITE_<FIELD> replaces a field.

        Raises ConfigurationError.
        """
        return load_settings(cls, path, "WARDROUND_SITE_")
