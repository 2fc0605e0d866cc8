"""The exchange as a folder: one sub-folder per bucket, one file per key.

For tests, for one machine, and for a folder that several machines share. A key's folders are opened one by
one without following links, so nothing under the root can lead out of it. A new object is written to a
temporary file, synced, then given its name by link(2), which fails if the name is taken: the same promise
as `If-None-Match: *`. Who may read a bucket's folder may read what is put into it, whatever this process's umask is.
"""

import errno
import hashlib
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from wardround.exchange.errors import (
    DeniedError,
    ExistsError,
    MissingBucketError,
    MissingError,
    OversizedError,
)
from wardround.exchange.files import no_space_named, whole_file
from wardround.exchange.first_version import Rewritten
from wardround.exchange.layout import check_bucket, check_folder, check_key, check_prefix
from wardround.exchange.store import bounded_keys
from wardround.exchange.waiting import SilentWatch

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # O_NONBLOCK: a FIFO must not hang us
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 1 << 20
# Folders inside each other that are looked into: our keys have six. Each costs a level of recursion and a descriptor.
_DEEPEST = 32
# Reading from or through something that is not what its name says: the same as not being there.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)


@dataclass(frozen=True)
class DirectoryExchange:
    """Buckets as sub-folders of `root`."""

    root: Path

    def store(self, bucket: str) -> "DirectoryStore":
        return DirectoryStore(check_bucket(bucket), self.root / bucket)

    def create_bucket(self, bucket: str) -> None:
        (self.root / check_bucket(bucket)).mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        return None


@dataclass(frozen=True)
class DirectoryStore:
    """One bucket as a folder; see `store.Store`."""

    name: str
    folder: Path

    def get(self, key: str, *, limit: int) -> bytes:
        with self._open(key, limit) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise OversizedError(key, len(data), limit)
        return data

    def download(self, key: str, target: Path, *, limit: int) -> None:
        with self._open(key, limit) as file, whole_file(target) as out:
            out.writelines(_blocks(file, key, limit))

    def sha256(self, key: str, *, limit: int) -> str:
        digest = hashlib.sha256()
        with self._open(key, limit) as file:
            for block in _blocks(file, key, limit):
                digest.update(block)
        return digest.hexdigest()

    @property
    def rewritten(self) -> Rewritten:
        return Rewritten(self.name)  # link(2) takes no name twice, and a folder keeps no versions

    def size(self, key: str) -> int:
        with self._open(key, None) as file:
            return os.fstat(file.fileno()).st_size

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except MissingError:
            return False
        return True

    def put_new(self, key: str, data: bytes) -> None:
        self._write(key, lambda out: out.write(data))

    def upload_new(self, key: str, source: Path) -> None:
        with source.open("rb") as file:
            self._write(key, lambda out: copyfileobj(file, out, _BLOCK))

    def list(self, prefix: str) -> Iterator[str]:
        folder, slash, _ = check_prefix(prefix).rpartition("/")
        try:
            with self._named(prefix), self._parent(f"{folder}{slash}x", create=False) as (descriptor, _):
                below = (f"{folder}{slash}{path}" for path in _files(descriptor))
                keys = bounded_keys((key for key in below if key.startswith(prefix)), self.name, prefix)
        except MissingError:
            keys = []
        return iter(keys)

    def names(self, prefix: str) -> Iterator[str]:
        try:
            with (
                self._named(prefix),
                self._parent(f"{check_folder(prefix)}x", create=False) as (descriptor, _),
            ):
                return iter(bounded_keys(_names(descriptor), self.name, prefix))
        except MissingError:
            return iter([])

    def watch(self, prefix: str, bell: threading.Event) -> SilentWatch:
        return SilentWatch()

    def _check_bucket(self) -> None:
        if self.folder.is_symlink() or not self.folder.is_dir():
            raise MissingBucketError(
                f"there is no bucket {self.name!r} (a folder under {str(self.folder.parent)!r}); "
                "set the federation up first, or correct its name"
            )

    @contextmanager
    def _parent(self, key: str, *, create: bool) -> Iterator[tuple[int, str]]:
        """A descriptor of the key's folder, and the last segment of the key."""
        *folders, last = check_key(key).split("/")
        self._check_bucket()
        current = os.open(self.folder, _FOLDER)
        try:
            for name in folders:
                below = _enter(current, name, create=create)
                os.close(current)
                current = below
            yield current, last
        finally:
            os.close(current)

    @contextmanager
    def _open(self, key: str, limit: int | None) -> Iterator[BinaryIO]:
        with self._named(key):
            with self._parent(key, create=False) as (folder, last):
                descriptor = os.open(last, _READ, dir_fd=folder)
            try:
                self._check_file(os.fstat(descriptor), key, limit)
                file = os.fdopen(descriptor, "rb")
            except BaseException:
                os.close(descriptor)
                raise
        with file:
            yield file

    def _check_file(self, status: os.stat_result, key: str, limit: int | None) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise MissingError(f"bucket {self.name!r} has no object {key!r}, only a folder of that name")
        if limit is not None and status.st_size > limit:
            raise OversizedError(key, status.st_size, limit)

    @contextmanager
    def _named(self, key: str) -> Iterator[None]:
        """Errors of the file system as those of a store."""
        try:
            yield
        except PermissionError as error:
            raise DeniedError(
                f"the permissions of the folder of bucket {self.name!r} do not allow this for {key!r}"
            ) from error
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
            raise MissingError(f"bucket {self.name!r} has no object {key!r}") from error

    def _write(self, key: str, fill: Callable[[BinaryIO], object]) -> None:
        with (
            self._named(key),
            no_space_named(f"object {key!r}"),
            self._parent(key, create=True) as (folder, last),
        ):
            part = f".{secrets.token_hex(8)}.part"
            descriptor = os.open(part, _NEW, 0o600, dir_fd=folder)
            try:
                os.fchmod(descriptor, os.fstat(folder).st_mode & 0o644)
                with os.fdopen(descriptor, "wb") as out:
                    fill(out)
                    out.flush()
                    os.fsync(descriptor)
                os.link(part, last, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                os.fsync(folder)
            except FileExistsError as error:
                raise ExistsError(f"bucket {self.name!r} already has an object {key!r}") from error
            finally:
                os.unlink(part, dir_fd=folder)


def _blocks(file: BinaryIO, key: str, limit: int) -> Iterator[bytes]:
    """The content of a file, which may grow since it was measured. Raises OversizedError."""
    read = 0
    while block := file.read(_BLOCK):
        read += len(block)
        if read > limit:
            raise OversizedError(key, read, limit)
        yield block


def _enter(folder: int, name: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):  # the usual case: another object made it
            os.mkdir(name, 0o700, dir_fd=folder)
            os.chmod(name, os.fstat(folder).st_mode & 0o2777, dir_fd=folder)
            os.fsync(folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _names(folder: int) -> Iterator[str]:
    """What lies directly in the folder: objects, and with a slash folders that hold an object somewhere."""
    for name in os.listdir(folder):
        mode = os.lstat(name, dir_fd=folder).st_mode
        if stat.S_ISREG(mode) and not name.startswith("."):
            yield name
        elif stat.S_ISDIR(mode):
            inside = os.open(name, _FOLDER, dir_fd=folder)
            try:
                if any(True for _ in _files(inside)):
                    yield f"{name}/"
            finally:
                os.close(inside)


def _files(folder: int) -> Iterator[str]:
    """Paths, relative to the folder, of all objects in it and below, in no order; not in folders deeper than any key."""
    for path, folders, names, descriptor in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        if path.count("/") >= _DEEPEST:
            folders.clear()
        for name in names:
            if not name.startswith(".") and stat.S_ISREG(os.lstat(name, dir_fd=descriptor).st_mode):
                yield os.path.normpath(f"{path}/{name}")
