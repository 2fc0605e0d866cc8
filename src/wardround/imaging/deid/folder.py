"""`deidentify_folder`: all files below a folder, in processes, resumable, with one line of report a file.

    files ─ chunks ─ processes ─ objects under pseudonymous names
                         └ records (JSON lines) ─ report, and what a later run need not do again

File and folder names may hold patients' names, so a file is called by a keyed code; only the hospital's own report
may ask for the names.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from wardround.errors import ConfigurationError
from wardround.exchange.files import whole_file
from wardround.imaging.deid.batch import Batch, Record, blamed, read_records, run_batch
from wardround.imaging.deid.files import MAX_BYTES
from wardround.imaging.deid.rules import Rules
from wardround.imaging.items import chunked
from wardround.imaging.pool import Crew, Limits
from wardround.imaging.reading.files import SourceFile, list_files, opened, size_and_time, walk_files
from wardround.private_files import keep_private, tighten
from wardround.turns import one_at_a_time

STATE, _MARK = ".deid", "job.json"
_BATCH = 16
# An object of the largest size is held a few times over while its pixels are looked at.
_LIMITS = Limits(memory=(4 << 30) + 4 * MAX_BYTES)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Job:
    """One call: source and target folders, rules, processes (0: this one), and whether nothing is to be written.

    look: blacken regions that are known to hold text, and refuse objects whose pixels may still show who the patient is.
    follow_links: follow symbolic links below the source, wherever they lead; else they are refused.
    """

    source: Path
    target: Path
    rules: Rules
    workers: int
    dry_run: bool = False
    look: bool = False
    follow_links: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a job: a record a file, in the order of the source's file names."""

    files: tuple[str, ...]
    records: tuple[Record, ...]

    @property
    def done(self) -> int:
        """Files that were de-identified, now or before."""
        return sum(record.refused is None for record in self.records)

    @property
    def masked(self) -> int:
        """Files of these in which regions that are known to hold text were blackened."""
        return sum(bool(record.masked) for record in self.records)

    @property
    def refused(self) -> Counter[str]:
        """Files that were not, by reason code."""
        return Counter(record.refused for record in self.records if record.refused is not None)

    def write_report(self, path: Path, *, names: bool) -> None:
        """Writes a JSON line a file; `names` adds the source's file names, which must not leave the hospital."""
        keep_private()
        with whole_file(path) as stream:
            for name, record in zip(self.files, self.records, strict=True):
                line = record.model_dump(mode="json", exclude={"state"}, exclude_none=True)
                stream.write(json.dumps(line | ({"source": name} if names else {})).encode() + b"\n")


def deidentify_folder(
    job: Job, progress: Progress = lambda done, total: None, stop: threading.Event | None = None
) -> Outcome:
    """De-identifies every file below `job.source` into `job.target`; another process that does so is waited for.

    A file that cannot be taken is refused with a reason code and the others go on. What an earlier run with the
    same key and options did, and whose source has not changed, is not done again.

    Raises ConfigurationError: a folder is absent, lies inside the other, or holds another job's output. StoppedError.
    """
    keep_private()
    _check_folders(job)
    if job.dry_run:
        with TemporaryDirectory(prefix="wardround-deid-") as state:
            return _run(job, Path(state), progress)
    with one_at_a_time(_state_folder(job) / "lock", "this target", stop or threading.Event()):
        _open_state(job)
        return _run(job, job.target / STATE, progress)


def _run(job: Job, state: Path, progress: Progress) -> Outcome:
    files = list_files(job.source, follow_links=job.follow_links)
    names = {file: _state_of(job, file) for file in files}
    finished = {record.state: record for record in read_records(state) if _holds(job, record)}
    left = [file for file in files if names[file] not in finished]
    count = len(files) - len(left)
    progress(count, len(files))

    def done(batch: Batch) -> None:
        nonlocal count
        count += len(batch.files)
        progress(count, len(files))

    batches = _batches(job, state, [(file, names[file]) for file in left])
    with Crew(job.workers, _LIMITS) as crew:
        crew.run(batches, run_batch, done, blamed)
    finished |= {record.state: record for record in read_records(state)}
    return Outcome(tuple(files), tuple(finished[names[file]] for file in files))


def _check_folders(job: Job) -> None:
    if not job.source.is_dir():
        raise ConfigurationError(
            f"source {str(job.source)!r} is not a folder; give the folder of DICOM files"
        )
    source, target = job.source.resolve(), job.target.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise ConfigurationError("one of source and target lies in the other; give a target elsewhere")


def _state_folder(job: Job) -> Path:
    """The folder of records in the target, made; a target that is not empty has one already."""
    state = job.target / STATE
    job.target.mkdir(parents=True, exist_ok=True)
    # A run that was killed at its very beginning leaves an empty folder of its own.
    if not (state / _MARK).exists() and any(path.name != STATE for path in job.target.iterdir()):
        raise ConfigurationError(
            f"target {str(job.target)!r} is not empty, and not from this command; give an empty or a new folder"
        )
    if state.is_symlink():
        raise ConfigurationError(f"{str(state)!r} is a symbolic link; give another target")
    state.mkdir(exist_ok=True)
    return state


def _open_state(job: Job) -> None:
    tighten(job.target)
    mark = job.target / STATE / _MARK
    said = {
        "options": job.rules.options.digest,
        "key": job.rules.pseudonyms.name("key", ""),
        "looked": job.look,
    }
    if not mark.exists():
        with whole_file(mark) as file:
            file.write(json.dumps(said).encode())
    elif json.loads(mark.read_text()) != said:
        raise ConfigurationError(
            f"target {str(job.target)!r} was made with another key or other options; give another folder"
        )
    # Nobody else is at work here: the target is locked.
    for stale in walk_files(job.target):
        if stale.endswith(".part") or (stale.startswith(f"{STATE}/") and stale.endswith(".busy")):
            (job.target / stale).unlink()


def _state_of(job: Job, file: str) -> str:
    size, changed = size_and_time(SourceFile(job.source, file, job.follow_links))
    return job.rules.pseudonyms.name("state", f"{file}\0{size}\0{changed}")


def _holds(job: Job, record: Record) -> bool:
    if record.output is None or job.dry_run:
        return True
    try:
        with opened(SourceFile(job.target, record.output)):
            return True
    except OSError:
        return False


def _batches(job: Job, state: Path, files: Iterable[tuple[str, str]]) -> Sequence[Batch]:
    return [
        Batch(
            result=state / f"{part[0][1]}.jsonl",
            source=job.source,
            target=None if job.dry_run else job.target,
            files=tuple(part),
            options=job.rules.options,
            key=job.rules.pseudonyms.key,
            look=job.look,
            follow_links=job.follow_links,
        )
        for part in chunked(list(files), _BATCH)
    ]
