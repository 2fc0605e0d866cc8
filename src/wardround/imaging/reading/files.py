"""Files of a source: found and opened without waiting, and without leaving the source's folder."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

from wardround.errors import ConfigurationError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a named pipe without a writer would block for ever.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


# Folders inside each other. Reaching one takes a step for each above it.
MAX_DEPTH = 64


def _as_unicode(path: str) -> str:
    try:
        path.encode()
        return path
    except UnicodeEncodeError:
        # No path has a null character, so it marks bytes that are not UTF-8.
        return "\0" + os.fsencode(path).decode("latin-1")


def _as_path(text: str) -> str:
    return os.fsdecode(text[1:].encode("latin-1")) if text.startswith("\0") else text


# A path as the file system gives it, which may hold bytes that are no UTF-8 (PEP 383); JSON can't say those.
SourcePath = Annotated[
    str, AfterValidator(_as_path), PlainSerializer(_as_unicode, return_type=str, when_used="json")
]


class LinkError(OSError):
    """A symbolic link stands on the way to a file, and links are not followed."""


@dataclass(frozen=True)
class SourceFile:
    """A file, or a folder, by its path (POSIX) relative to a source's folder.

    Each folder on the way is opened by itself, so no symbolic link leads out of the source, whenever it was put there;
    with `follow_links` they are followed. The source's own folder may be one. A hard link cannot be told from a file.
    """

    root: Path
    path: str
    follow_links: bool = False

    def open(self) -> int:
        """A descriptor of a regular file, for reading. Raises LinkError, OSError for what is none or cannot be read."""
        if self.follow_links:
            return _open_regular(os.fspath(self.root / self.path), _FILE & ~os.O_NOFOLLOW)
        *folders, name = self.path.split("/")
        with _descended(self.root, folders) as folder:
            return _open_regular(name, _FILE, folder)

    @contextmanager
    def made_folder(self) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that the file is to lie in, made if it is not there, and the file's name there.

        Raises LinkError if a link stands in the place of a folder, OSError.
        """
        *folders, name = self.path.split("/")
        with _descended(self.root, folders, make=True) as folder:
            yield folder, name

    @contextmanager
    def opened_folder(self) -> Iterator[int]:
        """A descriptor of a folder. Raises LinkError, OSError."""
        if self.follow_links:
            number = os.open(self.root / self.path, _FOLDER & ~os.O_NOFOLLOW)
            try:
                yield number
            finally:
                os.close(number)
            return
        with _descended(self.root, self.path.split("/") if self.path else ()) as number:
            yield number


# A file that a person names is opened as it is named.
Openable = Path | SourceFile


@contextmanager
def opened(file: Openable) -> Iterator[int]:
    """A descriptor of a regular file, for reading. Raises LinkError, OSError for what is none or cannot be read."""
    number = (
        file.open()
        if isinstance(file, SourceFile)
        else _open_regular(os.fspath(file), _FILE & ~os.O_NOFOLLOW)
    )
    try:
        yield number
    finally:
        os.close(number)


@contextmanager
def mapped(file: Openable) -> Iterator[mmap]:
    """Maps a regular file for reading. Raises OSError for what cannot be read or is none, ValueError if empty."""
    with opened(file) as number:
        content = mmap(number, 0, access=ACCESS_READ)
    with content:
        yield content


def list_files(source: Path, *, follow_links: bool = False) -> list[str]:
    """The paths that `walk_files` finds, sorted."""
    return sorted(walk_files(source, follow_links=follow_links))


def walk_files(source: Path, *, follow_links: bool = False) -> Iterator[str]:
    """All that lies below a folder and is no folder, as POSIX paths relative to it, in an order that is always the same.

    Symbolic links are given like files, also those to folders, and so are folders that cannot be read or lie more than
    MAX_DEPTH deep: whoever opens them learns that they cannot be used.
    With `follow_links` links to folders are entered, and no folder twice.
    Raises ConfigurationError if the folder itself cannot be read.
    """
    # A list, since folders nest deeper than calls can.
    left, seen = [""], set[tuple[int, int]]()
    while left:
        inside = left.pop()
        if inside.count("/") >= MAX_DEPTH:
            yield inside
            continue
        try:
            with SourceFile(source, inside, follow_links).opened_folder() as number:
                status = os.fstat(number)
                names, folders = _contents(number, follow_links=follow_links)
        except OSError as error:
            if not inside:
                raise ConfigurationError(
                    f"folder {str(source)!r} cannot be read ({error.strerror})"
                ) from error
            yield inside
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        prefix = f"{inside}/" if inside else ""
        yield from (prefix + name for name in names)
        left += [prefix + name for name in reversed(folders)]


def size_and_time(file: SourceFile) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns; 0 and 0 for what is gone, and for a link to nowhere."""
    try:
        status = os.stat(file.root / file.path, follow_symlinks=file.follow_links)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _contents(number: int, *, follow_links: bool) -> tuple[list[str], list[str]]:
    """The names in an open folder that are no folders, and those that are, sorted."""
    names, folders = list[str](), list[str]()
    with os.scandir(number) as entries:
        for entry in entries:
            (folders if _is_folder(entry, follow_links=follow_links) else names).append(entry.name)
    return sorted(names), sorted(folders)


def _is_folder(entry: os.DirEntry[str], *, follow_links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow_links)
    except OSError:  # a link to itself
        return False


@contextmanager
def _descended(root: Path, folders: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder that is reached from `root` by these names, none of which is a link."""
    current = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    try:
        for name in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=current)
            _check(name, current)
            below = os.open(name, _FOLDER, dir_fd=current)
            os.close(current)
            current = below
        yield current
    finally:
        os.close(current)


def _open_regular(name: str, flags: int, folder: int | None = None) -> int:
    # Opening a device may do something to it, so it is not even opened.
    mode = _check(name, folder) if flags & os.O_NOFOLLOW else os.stat(name).st_mode
    if not stat.S_ISREG(mode):
        raise OSError("not a regular file")
    number = os.open(name, flags, dir_fd=folder)
    if stat.S_ISREG(os.fstat(number).st_mode):
        return number
    os.close(number)
    raise OSError("not a regular file")


def _check(name: str, folder: int | None) -> int:
    """The mode of a name in an open folder. Raises LinkError for a link, OSError."""
    if name in ("", ".", ".."):
        raise OSError("not the name of a file")
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        raise LinkError("a symbolic link")
    return mode
