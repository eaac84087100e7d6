"""Checks of the folder that the journal is in."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from trackable import conf

MOUNTS: Final = Path("/proc/self/mounts")

#: File systems on which locks or appends of several machines are not what they are on a disk.
NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"}
    | {"gfs2", "gluster", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs"}
)


def check_journal(**_: Any) -> list[CheckMessage]:
    """Find a folder that is not one, cannot be written, or is not one machine's or one site's."""
    try:
        directory = Path(os.path.abspath(conf.journal_dir()))
    except TypeError:
        return []  # reported as a wrong value
    misplaced = _check_place()
    if any(message.is_serious() for message in misplaced):
        return misplaced
    existing = next(p for p in (directory, *directory.parents) if os.path.lexists(p))
    if not existing.is_dir():
        return [
            Error(
                f"There can be no journal in {directory}: {existing} is no folder.",
                hint="Set TRACKABLE_JOURNAL_DIR to a folder on a local disk.",
                id="trackable.E013",
            )
        ]
    return [
        *misplaced,
        *_check_access(directory, existing),
        *_check_disk(directory, existing),
        *_check_machines(directory),
    ]


def _check_place() -> list[CheckMessage]:
    """Find a path that is not of one folder, or a folder that may be of several sites."""
    path, project = getattr(settings, "TRACKABLE_JOURNAL_DIR", None), conf.project_dir()
    if path is None and project is None:
        return [
            checks.Warning(
                "The journal is in the system's folder for temporary files, where every site"
                " without a BASE_DIR has it.",
                hint="Set TRACKABLE_JOURNAL_DIR to a folder of this site's own, or set BASE_DIR.",
                id="trackable.W008",
            )
        ]
    if Path(project or "", path or "").is_absolute() and not str(path).startswith("~"):
        return []
    return [
        Error(
            f"The path of the journal is not absolute: {str(path or project)!r}.",
            hint="Set TRACKABLE_JOURNAL_DIR to an absolute path. A relative one is in BASE_DIR,"
            " which must be absolute then; '~' is not looked up.",
            id="trackable.E014",
        )
    ]


def _check_access(directory: Path, existing: Path) -> list[CheckMessage]:
    if os.access(existing, os.W_OK | os.X_OK):
        return []
    return [
        checks.Warning(
            f"This user cannot write the journal in {directory}.",
            hint="Nothing needs to be done if the processes that emit run as another user. If"
            " not, let this one write there, or set TRACKABLE_JOURNAL_DIR.",
            id="trackable.W002",
        )
    ]


def _check_disk(directory: Path, existing: Path) -> list[CheckMessage]:
    kind = file_system_of(existing)
    if kind not in NETWORK_FILE_SYSTEMS:
        return []
    return [
        checks.Warning(
            f"The journal in {directory} is on a file system of the network ({kind}).",
            hint="Set TRACKABLE_JOURNAL_DIR to a folder on a local disk: its locks are between"
            " the processes of one machine.",
            id="trackable.W003",
        )
    ]


def _check_machines(directory: Path) -> list[CheckMessage]:
    from trackable.journal import machines

    found = [m for m in machines.others(directory, time.time()) if m.is_neighbour]
    if not found:
        return []
    hosts = ", ".join(sorted({ascii(machine.host) for machine in found}))
    return [
        checks.Warning(
            f"The journal in {directory} is used by another machine too: {hosts}.",
            hint="Give each machine a TRACKABLE_JOURNAL_DIR of its own. Meanwhile nothing is lost,"
            " but what processes of another machine leave behind waits for five minutes.",
            id="trackable.W007",
        )
    ]


def file_system_of(path: Path) -> str | None:
    """Return the type of the file system that an existing path is on, where Linux tells it."""
    try:
        mounts = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    path = path.resolve()
    found: tuple[int, str] | None = None
    for _device, point, kind, *_rest in (line.split(" ") for line in mounts if line.count(" ") > 2):
        mount = Path(_unescaped(point))
        # Of two mounts on one point the later one hides the other.
        if path.is_relative_to(mount) and len(mount.parts) >= (found or (0,))[0]:
            found = len(mount.parts), kind
    return found[1] if found else None


def _unescaped(point: str) -> str:
    for character in " \t\n\\":
        point = point.replace(f"\\{ord(character):03o}", character)
    return point
