"""The first program in every child process: it takes an identity, arranges to die with its parent, and execs the
program.

    python -I -S launch.py PARENT_PID DEATH_SIGNAL IDENTITY PROGRAM [ARGUMENT...]

IDENTITY is `as-is`, `userns` (root stays root outside, the program sees uid 65534) or `UID:GID` (root becomes that
user and keeps CAP_DAC_OVERRIDE). If the program cannot be started: exit code 126 and a message on standard error.

Why not subprocess's preexec_fn: it runs our Python between fork and exec, which is unsafe if the parent has a second
thread (tests, `doctor`), and it hides the error. This launcher costs 10 ms per start (measured: -I -S, only ctypes). It
imports none of our modules.
"""

import ctypes
import os
import signal
import sys

# linux/prctl.h, linux/securebits.h, linux/capability.h, linux/sched.h
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT = 1, 8, 28, 47
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWUSER = 0x10000000
MASKED_ID = 65534  # "nobody" and "nogroup" on nearly every system; initdb needs a user with a name


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main(arguments: list[str]) -> None:
    parent, death_signal, identity, *argv = arguments
    try:
        _take(identity)
        _die_with(int(parent), int(death_signal))  # after _take: a change of identity would clear it
        # Python ignores these two signals, and exec keeps an ignored signal ignored.
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored, signal.SIG_DFL)
        os.execv(argv[0], argv)  # noqa: S606 - the purpose of this launcher
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]} as {identity}: {error}\n")
        sys.exit(126)


def _die_with(parent: int, death_signal: int) -> None:
    if sys.platform == "linux":
        _call("prctl", PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before prctl
        os.kill(os.getpid(), signal.SIGKILL)


def _take(identity: str) -> None:
    if identity == "userns":
        _mask_uid()
    elif identity != "as-is":
        uid, gid = map(int, identity.split(":"))
        _become(uid, gid)


def _mask_uid() -> None:
    """Enters a user namespace in which our uid is 65534. On disk and for other processes the uid does not change."""
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER)
    for name, value in (
        ("setgroups", b"deny"),
        ("uid_map", b"%d %d 1" % (MASKED_ID, uid)),
        ("gid_map", b"%d %d 1" % (MASKED_ID, gid)),
    ):
        file = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(file, value)
        os.close(file)


def _become(uid: int, gid: int) -> None:
    """Becomes that user but keeps CAP_DAC_OVERRIDE, because the data folder may be inside root's home (0700)."""
    _call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    _call("prctl", PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    only = 1 << CAP_DAC_OVERRIDE
    data = (_CapData * 2)(_CapData(only, only, only), _CapData(0, 0, 0))
    _call("capset", ctypes.byref(_CapHeader(CAPABILITY_VERSION_3, 0)), data)
    _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


if __name__ == "__main__":
    main(sys.argv[1:])
