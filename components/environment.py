"""Makes one Python environment of an image from a hashed lock, and takes out what nothing loads.

    python environment.py LOCK FOLDER [--beyond LOCK]

Runs while an image is built, with the base image's Python and nothing but the standard library. With `--beyond`
only what the lock has on top of another one is installed: copied over the other's environment, it makes a whole
one, and the other's large layer is shared.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

UV = "/opt/uv/bin/uv"
PACKAGES = Path("lib/python3.11/site-packages")
# Headers and symbols serve whoever builds TensorFlow operations, which nobody does in here.
UNUSED = ("tensorflow/include", "tensorflow/xla_aot_runtime_src", "clang", "bin")
# Suites of these projects lie inside of their packages, and nothing imports them.
TESTED = (
    "numpy",
    "scipy",
    "pandas",
    "sklearn",
    "matplotlib",
    "mpl_toolkits",
    "pyarrow",
    "skops",
    "jax",
    "psutil",
)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)")


def requirements(lock: str) -> dict[str, str]:
    """A lock's requirements by name, each with its hashes, as the text that it is."""
    found: dict[str, str] = {}
    name = ""
    for line in lock.splitlines():
        if pin := _PIN.match(line):
            name = pin[1]
            found[name] = line
        elif name and line.startswith("    --hash="):
            found[name] += "\n" + line
    return found


def beyond(lock: str, base: str) -> str:
    """What a lock has on top of another one. Raises ValueError if it isn't on top: something is missing, or differs."""
    wanted, there = requirements(lock), requirements(base)
    if lost := sorted(name for name, text in there.items() if wanted.get(name) != text):
        raise ValueError(f"not built on the other lock: {', '.join(lost)}; run `make locks`")
    return "\n".join(text for name, text in wanted.items() if name not in there) + "\n"


def install(lock: Path, folder: Path, base: Path | None) -> None:
    """Installs into `folder`: a virtual environment, or with a base only the packages beyond it."""
    if base is None:
        _run(UV, "venv", "--quiet", "--python", "/usr/local/bin/python", str(folder))
        _run(
            UV,
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--python",
            str(folder / "bin/python"),
            str(lock),
        )
        return
    rest = lock.with_name("beyond.txt")
    rest.write_text(
        beyond(lock.read_text(encoding="utf-8"), base.read_text(encoding="utf-8")), encoding="utf-8"
    )
    target = ("--python", "/usr/local/bin/python", "--target", str(folder / PACKAGES))
    _run(
        UV, "pip", "install", "--quiet", "--no-deps", "--require-hashes", *target, "--requirement", str(rest)
    )


def slim(packages: Path) -> None:
    """Removes what nothing loads. Only TensorFlow's libraries are stripped: it can break those of repaired wheels."""
    for name in UNUSED:
        shutil.rmtree(packages / name, ignore_errors=True)
    for name in TESTED:
        for tests in sorted((packages / name).rglob("tests"), reverse=True):
            shutil.rmtree(tests, ignore_errors=True)
    for library in packages.glob("*/**/*.a"):
        library.unlink()
    libraries = [str(path) for path in (packages / "tensorflow").rglob("*.so*") if not path.is_symlink()]
    if libraries:
        _run("strip", "--strip-unneeded", *libraries)


def compile_all(folder: Path) -> None:
    """Writes byte code that is never checked against its source: at run time nothing could be written anyway."""
    # Some packages carry templates that aren't Python, so the result says nothing.
    command = [sys.executable, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, str(folder)], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lock", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--beyond", type=Path)
    given = parser.parse_args()
    install(given.lock, given.folder, given.beyond)
    slim(given.folder / PACKAGES)
    compile_all(given.folder / PACKAGES)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
