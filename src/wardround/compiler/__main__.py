"""`python -m wardround.compiler REQUEST.json --out FOLDER`: one recipe in, `draft.json` and graphs out.

Exit codes: 0 done, 2 the recipe can't be compiled (the last line of standard error says why).
"""

import argparse
import json
import os
import pathlib
import sys
import traceback
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def main() -> int:
    """Run the compiler once."""
    parser = argparse.ArgumentParser(prog="python -m wardround.compiler")
    parser.add_argument("request", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    request = json.loads(arguments.request.read_text(encoding="utf-8"))
    _progress("starting TensorFlow Federated")
    from wardround.compiler.draft import compile_draft
    from wardround.compiler.failure import explain

    folder = pathlib.Path(request["folder"])
    try:
        draft = compile_draft(request["recipe"], folder, arguments.out, _progress)
    except Exception as error:
        # Where this module is run by hand: whoever mends the compiler needs all of it.
        traceback.print_exc(file=sys.stdout)
        print(f"error: {explain(error, folder)}", file=sys.stderr, flush=True)
        return 2
    _write(arguments.out / "draft.json", draft)
    return 0


def _progress(step: str) -> None:
    print(f"step: {step}", file=sys.stderr, flush=True)


def _write(path: pathlib.Path, draft: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(draft, sort_keys=True), encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
