"""One process at a time: a person's run and a schedule's may be started for the same work at once."""

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wardround.errors import ConfigurationError, StoppedError

_LOG = logging.getLogger(__name__)
# The kernel tells nobody who also has an ear for `stop` that a lock is free.
_LOOK_S = 0.5
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def one_at_a_time(path: Path, work: str, stop: threading.Event) -> Iterator[None]:
    """Holds the lock file `path` (made, and left) as long as the block lasts; waits while another process has it.

    `work` says in the log what is waited for. The kernel frees the lock when its process ends, however it ends. On a
    file system without locks the block runs at once. Raises StoppedError; ConfigurationError for a path that cannot
    be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"{str(path)!r} cannot be written ({error.strerror}); give a work folder that can be"
        ) from error
    try:
        if not _take(descriptor):
            _LOG.info("another process is at %s; waiting for it to end", work)
            while not _take(descriptor):
                if stop.wait(_LOOK_S):
                    raise StoppedError(f"stopped while another process was at {work}; start again to go on")
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _LOG.warning("the work folder's file system has no locks: start one run of a site at a time")
    return True
