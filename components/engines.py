"""The container engines that can build images: podman, buildah, docker."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ENGINES = ("podman", "buildah", "docker")
# A command of one's own that builds: COMMAND DOCKERFILE TAG CONTEXT OPTION...
BUILD_VARIABLE = "IMAGE_BUILD"
ENGINE_VARIABLE = "IMAGE_ENGINE"


class EngineError(Exception):
    """No engine, or one that failed; the text says what to do."""


@dataclass(frozen=True)
class Engine:
    """One engine's command, and what builds in its place if anything does."""

    name: str
    builder: tuple[str, ...] = ()

    def build(self, dockerfile: Path, target: str, tag: str, options: Sequence[str]) -> None:
        """Builds a target of a Dockerfile; the context is the working directory. Raises EngineError."""
        chosen = ("--target", target, *options)
        if self.builder:
            run(*self.builder, str(dockerfile), tag, ".", *chosen)
        else:
            # Without it buildah, unlike podman, builds all layers anew.
            layers = ("--layers",) if self.name == "buildah" else ()
            run(self.name, "build", *layers, "--file", str(dockerfile), "--tag", tag, *chosen, ".")

    def save(self, tag: str, archive: Path) -> None:
        """Writes an image as an OCI archive. Raises EngineError."""
        archive.parent.mkdir(parents=True, exist_ok=True)
        part = archive.with_suffix(".part")
        part.unlink(missing_ok=True)
        if self.name == "docker":
            run("docker", "save", "--output", str(part), tag)
        else:
            run(self.name, "push", "--quiet", tag, f"oci-archive:{part}:{tag}")
        part.replace(archive)

    def push(self, tag: str, digests: Path) -> str:
        """Pushes an image to the registry that its tag names; returns the digest that it has there."""
        if self.name == "docker":
            run("docker", "push", "--quiet", tag)
            known = output("docker", "inspect", "--format", '{{join .RepoDigests " "}}', tag).split()
            return _digest(known, tag.rpartition(":")[0])
        run(self.name, "push", "--quiet", "--digestfile", str(digests), tag, f"docker://{tag}")
        return digests.read_text(encoding="utf-8").strip()


def find_engine(environment: Mapping[str, str] = os.environ) -> Engine:
    """The engine that IMAGE_ENGINE names, or the first that answers. Raises EngineError."""
    builder = tuple(shlex.split(environment.get(BUILD_VARIABLE, "")))
    if named := environment.get(ENGINE_VARIABLE):
        if named not in ENGINES:
            raise EngineError(f"{ENGINE_VARIABLE} is {named!r}; legal: {', '.join(ENGINES)}")
        return Engine(named, builder)
    for name in ENGINES:
        if shutil.which(name) and _answers(name):
            return Engine(name, builder)
    raise EngineError(f"no container engine answers; install one of {', '.join(ENGINES)}")


def run(*command: str) -> None:
    """Runs a command; its output is the user's to see. Raises EngineError."""
    # Else docker may make a list of an image and its provenance, where one image with one digest is wanted.
    environment = {**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    try:
        subprocess.run(command, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError(f"{shlex.join(command)}: {error}") from error


def output(*command: str) -> str:
    """Runs a command and returns its standard output. Raises EngineError."""
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError(f"{shlex.join(command)}: {error}") from error


def _digest(references: Sequence[str], name: str) -> str:
    for reference in references:
        if reference.startswith(f"{name}@"):
            return reference.removeprefix(f"{name}@")
    raise EngineError(f"docker knows no digest of {name} in its registry")


def _answers(name: str) -> bool:
    # docker's program may be there without its server.
    return subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0
