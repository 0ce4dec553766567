"""PigWav uses only folders and files that no other user can prepare, replace or write.

`pigwav up` deletes files in its data folder, ends processes that a file there names, and runs Postgres on it. Another
user who could write there, or put a link in its place, would do all that with our rights.

The rule, for a folder that we use:

- It belongs to the user who runs PigWav, and no other user may write to it.
- Every folder and link on the way to it belongs to that user, to root or to the owner of `/`. Other users may write
  only to those folders that have the sticky bit, such as /tmp: there, nobody can rename what is ours.

Where root or the owner of `/` is another user, they can do everything anyway. A group that contains only its user of
the same name is no other user: many systems make such a group for every user, and folders that it may write to.
"""

import errno
import grp
import os
import pwd
import shlex
import stat
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pigwav.errors import FolderUnusable


class _Fault(Exception):
    """Why a folder cannot be used, and what to do."""


def make_private_folder(path: Path, *, what: str = "data folder") -> None:
    """Creates the folder, and the missing ones above it, with mode 0700, and checks it (`check_folder`).

    Nothing is created in a folder that breaks the rule, nor below a link whose target is missing.
    """
    with _named(path, what):
        _check(_resolved(path, make=True), {os.geteuid()})


def check_folder(path: Path, owners: Collection[int] = (), *, what: str = "data folder") -> None:
    """Raises FolderUnusable if another user can change or replace the folder, OSError if it cannot be looked at.

    `owners`: user ids to which the folder may belong; empty means ours. `what`: its name in the error.
    """
    with _named(path, what):
        _check(_resolved(path, make=False), owners or {os.geteuid()})


def open_private(path: Path, flags: int) -> int:
    """Opens a file of a folder that was checked; returns its descriptor. A new file has mode 0600.

    A link is not followed, so that a file which another user prepared (before the folder was ours alone) leads to no
    other file. Raises FolderUnusable if it is not a plain file of ours under this one name, OSError.
    """
    try:
        # O_NONBLOCK: opening a named pipe must not wait for its other end. Plain files ignore it.
        file = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _foreign_file(path, "is a link") from error
        raise
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        fault = "is not a plain file"
    elif status.st_uid != os.geteuid():
        fault = f"belongs to {_user(status.st_uid)}"
    elif status.st_nlink > 1:
        fault = "has a second name elsewhere (a hard link)"
    else:
        return file
    os.close(file)
    raise _foreign_file(path, fault)


def read_private(path: Path) -> str:
    """The text of a file, opened as in open_private. Raises FolderUnusable, OSError, UnicodeDecodeError."""
    with os.fdopen(open_private(path, os.O_RDONLY), encoding="utf-8") as file:
        return file.read()


@contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except _Fault as fault:
        raise FolderUnusable(f"The {what} {path} cannot be used: {fault}.") from fault


def _resolved(path: Path, *, make: bool) -> Path:
    """The path without links. Checks every folder and link on the way, before anything below it is used."""
    here = Path("/")
    rest = list(reversed(path.absolute().parts[1:]))
    while rest:
        _check_on_the_way(here)
        name = rest.pop()
        if name == os.pardir:
            here = here.parent
            continue
        found = here / name
        try:
            status = found.lstat()
        except FileNotFoundError:
            if not make:
                raise
            with suppress(FileExistsError):  # another PigWav was faster
                found.mkdir(mode=0o700)
            status = found.lstat()
        if not stat.S_ISLNK(status.st_mode):
            here = found
            continue
        _check_owner_on_the_way(found, status.st_uid)
        found.stat()  # raises if the links lead in a circle, or to nothing: a disk may not be mounted
        target = found.readlink()
        here = Path("/") if target.is_absolute() else here
        rest += reversed([part for part in target.parts if part != target.anchor])
    return here


def _check(folder: Path, owners: Collection[int]) -> None:
    status = folder.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    if status.st_uid not in owners:
        raise _Fault(
            f"it belongs to {_user(status.st_uid)}, but PigWav runs as {_user(os.geteuid())}; run PigWav as the owner, "
            f"or, if you trust everything in the folder, run `chown -R {os.geteuid()} {shlex.quote(str(folder))}`"
        )
    if _others_may_write(folder, status):
        raise _Fault(
            "other users may write to it; if you trust everything in it, run "
            f"`chmod go-w {shlex.quote(str(folder))}`"
        )


def _check_on_the_way(folder: Path) -> None:
    status = folder.stat()
    _check_owner_on_the_way(folder, status.st_uid)
    if _others_may_write(folder, status) and not status.st_mode & stat.S_ISVTX:
        raise _Fault(
            f"other users may write to {folder}, so they could put another folder in its place; run "
            f"`chmod +t {shlex.quote(str(folder))}`, or choose another folder with --data"
        )


def _check_owner_on_the_way(part: Path, owner: int) -> None:
    if owner not in _trusted():
        raise _Fault(
            f"{part} on the way to it belongs to {_user(owner)}, who could put another folder in its place, but PigWav "
            f"runs as {_user(os.geteuid())}; run PigWav as {_user(owner)}, or choose another folder with --data"
        )


def _trusted() -> set[int]:
    """User ids that may own what is on the way. The owner of `/` is not root in a sandbox with ids of its own."""
    return {os.geteuid(), 0, Path("/").stat().st_uid}


def _others_may_write(path: Path, status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    # With an access control list, the group's bits are those of everybody whom the list names.
    return bool(status.st_mode & stat.S_IWGRP) and (_has_acl(path) or not _is_one_user(status.st_gid))


def _has_acl(path: Path) -> bool:
    if sys.platform != "linux":
        return False
    with suppress(OSError):  # this file system has no attributes
        return "system.posix_acl_access" in os.listxattr(path)
    return False


def _is_one_user(gid: int) -> bool:
    """Whether the group contains only the user of the same name, whom we trust."""
    try:
        group = grp.getgrgid(gid)
        user = pwd.getpwnam(group.gr_name)
    except KeyError:
        return False
    return user.pw_uid in _trusted() and user.pw_gid == gid and not set(group.gr_mem) - {group.gr_name}


def _foreign_file(path: Path, fault: str) -> FolderUnusable:
    return FolderUnusable(
        f"The file {path} cannot be used: it {fault}, so PigWav did not make it; if nothing needs it, run "
        f"`rm {shlex.quote(str(path))}`."
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"
