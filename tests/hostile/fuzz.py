"""`python tests/hostile/fuzz.py PARSER [SECONDS] [libFuzzer options]`: fuzzing of one parser by coverage, with Atheris.

`make fuzz PARSER="DICOM object" SECONDS=600`. What it finds is written to the current folder as `crash-…`, to be given
to the same command; seeds and findings are in `.wardround/fuzz`.
"""

import contextlib
import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1])]
with atheris.instrument_imports(include=["wardround"]):
    from hostile.parsers import PARSERS
    from wardround.errors import WardroundError


def main() -> None:
    """Fuzz until the time is over; exits with libFuzzer's code, which is not 0 when something was found."""
    name, seconds, *options = [*sys.argv[1:], "60"][: max(2, len(sys.argv) - 1)]
    parser = PARSERS[name]
    corpus = Path(".wardround/fuzz") / name.replace(" ", "-")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)

    def one(data: bytes) -> None:
        with contextlib.suppress(WardroundError):
            parser.parse(data)

    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", "-rss_limit_mb=4096", *options, str(corpus)], one
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
