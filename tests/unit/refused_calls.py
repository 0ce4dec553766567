"""Executes a program with system calls refused, as on an old kernel or in a container with a strict profile.

    python refused_calls.py WHAT[,WHAT...] PROGRAM [ARGUMENT...]

WHAT: landlock, seccomp (further filters), unshare. The calls fail with EPERM, as with Docker's profiles.
"""

import ctypes
import os
import struct
import sys

AUDIT_ARCH, PRCTL, UNSHARE = {
    "x86_64": (0xC000003E, 157, 272),
    "aarch64": (0xC00000B7, 167, 97),
}[os.uname().machine]
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
ALLOW, EPERM = 0x7FFF0000, 0x00050001
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
REFUSALS = {
    "landlock": [(JUMP_IF_EQUAL, 0, 1, 444), (RETURN, 0, 0, EPERM)],
    "unshare": [(JUMP_IF_EQUAL, 0, 1, UNSHARE), (RETURN, 0, 0, EPERM)],
    "seccomp": [
        (JUMP_IF_EQUAL, 0, 4, PRCTL),
        (LOAD, 0, 0, 16),
        (JUMP_IF_EQUAL, 0, 1, PR_SET_SECCOMP),
        (RETURN, 0, 0, EPERM),
        (LOAD, 0, 0, 0),
    ],
}


def main(what: str, *argv: str) -> None:
    steps = [(LOAD, 0, 0, 0)]
    for each in what.split(","):
        steps += REFUSALS[each]
    steps.append((RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    filter_ = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, 2, filter_):
        sys.exit(os.strerror(ctypes.get_errno()))
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
