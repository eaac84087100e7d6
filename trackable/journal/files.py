"""Files: how the journal's folder is shared, read, and complained of."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path
from typing import Final

from trackable import notices

logger = logging.getLogger(__name__)

#: less the umask: processes of one group may share a journal
MODE: Final = 0o660


def share(fd: int, directory: Path) -> None:
    """Give a new file to those who share its directory, also where root makes it."""
    owner = os.stat(directory)
    if os.geteuid() == 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)
    os.fchmod(fd, stat.S_IRUSR | stat.S_IWUSR | (owner.st_mode & (stat.S_IRGRP | stat.S_IWGRP)))


def read(path: Path) -> bytes:
    """Return the content of a regular file; raises ``OSError`` for anything else that is there.

    Never waits, as one would for the other end of a pipe.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise no_file(path)
    with open(fd, "rb") as file:
        return file.read()


def no_file(path: Path) -> OSError:
    return OSError(errno.EINVAL, "it is no file", str(path))


def complain(path: Path, error: OSError) -> None:
    """Say, once an hour, that a file is passed over, and what to do about it."""
    if notices.is_news(f"{path}: {error}"):
        is_foreign = isinstance(error, PermissionError)
        cure = ": let all processes of the journal run as one user or group" if is_foreign else ""
        logger.error("%s is passed over (%s)%s.", path, error.strerror or error, cure)
