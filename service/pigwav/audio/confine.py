"""Runs first in every decoder process: drops all rights that a decoder does not need, then executes the decoder.

    main([PARENT_PID, CPU_LIMIT_S, MEANS, *READABLE, "--", PROGRAM, *ARGUMENTS])
    main([])

MEANS is a comma-separated subset of `MEANS`. If one of them cannot be applied, the program is not started: exit
status 126 and a message on standard error. READABLE are the files that the program may read and execute, itself
included. Without arguments, `main` prints the means that this machine supports, one a line.

Why a process and not subprocess's preexec_fn: see devstack/launch.py. Every decoder waits for this module, therefore
it imports nothing of ours and little else: `signal` and `platform` alone would make it half as slow again.
"""

import ctypes
import os
import resource
import struct
import sys

MEANS = ("limits", "namespace", "privileges", "capabilities", "landlock", "lifetime", "seccomp")
"""In the order in which they are applied, because:

- a new namespace grants capabilities;
- Landlock and seccomp require that the process can gain no privileges;
- a change of credentials clears `lifetime`;
- after `seccomp`, hardly any system call is left.
"""
NOT_STARTED = 126

# signal.h; all but _SIG_BLOCK are the same on Linux and macOS
_SIGHUP, _SIGINT, _SIGQUIT, _SIGKILL, _SIGPIPE, _SIGTERM, _SIGXFSZ = 1, 2, 3, 9, 13, 15, 25
_SIG_DFL, _SIGSET_BYTES = 0, 128
_SIG_BLOCK = 0 if sys.platform == "linux" else 1

_MEMORY_BYTES = 1 << 30
_FILE_DESCRIPTORS = 64
_MAX_INHERITED = 1 << 16  # normally none is inherited; the resource limit may be "unlimited", no number

# linux/prctl.h, linux/capability.h, linux/sched.h
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 15, 22, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_CLONE_THREAD, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00010000, 0x10000000, 0x40000000

# linux/landlock.h; the numbers of these calls are the same on every architecture
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION, _RULE_PATH_BENEATH = 1, 1
_EXECUTE, _READ_FILE = 1 << 0, 1 << 2
_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many file access rights each version of the Landlock ABI has; we use none that came after version 5."""
_BIND_AND_CONNECT_TCP = 0b11  # since version 4
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # since version 6

# linux/seccomp.h, linux/filter.h, linux/audit.h
_SECCOMP_MODE_FILTER = 2
_F_DUPFD_CLOEXEC = 1030
_ALLOW, _KILL, _NO_SUCH_CALL = 0x7FFF0000, 0x80000000, 0x00050000 | 38
_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_POINTER_BYTES = 8
_ARCHES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Per machine: its AUDIT_ARCH and its column in `CALLS`."""

CALLS = """
read 0 63, readv 19 65, pread64 17 67, write 1 64, writev 20 66, close 3 57, lseek 8 62, dup 32 23,
dup2 33 -, dup3 292 24, poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, eventfd2 290 19, pipe2 293 59,
stat 4 -, lstat 6 -, fstat 5 80, newfstatat 262 79, statx 332 291, access 21 -, faccessat 269 48, faccessat2 439 439,
readlink 89 -, readlinkat 267 78, getcwd 79 17,
mmap 9 222, mprotect 10 226, munmap 11 215, mremap 25 216, madvise 28 233, brk 12 214, membarrier 324 283,
rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, sigaltstack 131 132, restart_syscall 219 128,
futex 202 98, futex_waitv 449 449, set_robust_list 273 99, get_robust_list 274 100, set_tid_address 218 96,
rseq 334 293, arch_prctl 158 -, getrlimit 97 163, getrusage 98 165, times 100 153, sysinfo 99 179, uname 63 160,
getpid 39 172, gettid 186 178, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getcpu 309 168,
sched_yield 24 124, sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120,
sched_get_priority_max 146 125, sched_get_priority_min 147 126, clock_gettime 228 113, clock_getres 229 114,
clock_nanosleep 230 115, nanosleep 35 101, gettimeofday 96 169, time 201 -, getrandom 318 278,
execve 59 221, exit 60 93, exit_group 231 94
"""
"""The calls that a program needs to read, compute with threads, and write: name, number on x86_64, on aarch64."""
CALLS_IN_PART = """
open 2 -, openat 257 56, fcntl 72 25, clone 56 220, prctl 157 167, prlimit64 302 261, tgkill 234 131
"""
"""Calls that are allowed with certain arguments only; see `_conditions`."""


def main(arguments: list[str]) -> None:
    if not arguments:
        for means in MEANS if sys.platform == "linux" else MEANS[:1]:
            try:
                _take(means, 60, [], os.getppid())  # may confine this process: it does nothing else
            except OSError:
                continue
            sys.stdout.write(f"{means}\n")
        return
    parent, cpu_limit_s, chosen, *paths = arguments
    end = paths.index("--")
    readable, argv = paths[:end], paths[end + 1 :]
    try:
        _keep_to_pipes()
        take(chosen.split(","), int(cpu_limit_s), readable, parent=int(parent))
        os.execve(argv[0], argv, {"LC_ALL": "C"})  # noqa: S606 - this module exists to execute it
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]} with {chosen}: {error}\n")
        sys.exit(NOT_STARTED)


def take(chosen: list[str], cpu_limit_s: int, readable: list[str], *, parent: int) -> None:
    """Confines this process and the program that it executes. Raises OSError if one of `chosen` is not available."""
    for means in MEANS:
        if means in chosen:
            _take(means, cpu_limit_s, readable, parent)


def _keep_to_pipes() -> None:
    """Closes all file descriptors but the three standard ones and blocks the signals that ask a process to stop.

    systemd stops the service by a signal to each of its processes; the decoders must go on so that open uploads can
    complete. Only our server stops a decoder, with SIGKILL.
    """
    os.closerange(3, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _MAX_INHERITED))
    blocked = ctypes.create_string_buffer(_SIGSET_BYTES)
    for number in (_SIGHUP, _SIGINT, _SIGQUIT, _SIGTERM):
        _call("sigaddset", blocked, number)
    _call("sigprocmask", _SIG_BLOCK, blocked, None)
    for ignored in (_SIGPIPE, _SIGXFSZ):  # Python ignores them, and execve keeps a signal ignored
        _call("signal", ignored, _SIG_DFL)


def _take(means: str, cpu_limit_s: int, readable: list[str], parent: int) -> None:
    """Raises OSError if `means` is not available."""
    match means:
        case "limits":
            _limit(cpu_limit_s)
        case "namespace":
            _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET)
        case "privileges":
            _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        case "capabilities":
            # For root too: with no_new_privs, execve would keep these capabilities (capabilities(7)).
            _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
            _call("capset", struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24))
        case "landlock":
            _see_only(readable)
        case "lifetime":
            _call("prctl", _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # the parent ended before the call above
                os.kill(os.getpid(), _SIGKILL)
        case "seccomp":
            _restrict_system_calls()


def _limit(cpu_limit_s: int) -> None:
    """Limits CPU time, open files and memory; forbids file writes and core dumps.

    The limit on CPU time is the one that ffmpeg's -timelimit sets, so that -timelimit does not fail.
    """
    _limit_resource(resource.RLIMIT_CPU, cpu_limit_s, cpu_limit_s + 1)
    _limit_resource(resource.RLIMIT_NOFILE, _FILE_DESCRIPTORS, _FILE_DESCRIPTORS)
    _limit_resource(resource.RLIMIT_FSIZE, 0, 0)
    _limit_resource(resource.RLIMIT_CORE, 0, 0)
    if sys.platform == "linux":  # macOS does not enforce its limit of this name
        _limit_resource(resource.RLIMIT_AS, _MEMORY_BYTES, _MEMORY_BYTES)


def _limit_resource(kind: int, soft: int, hard: int) -> None:
    """Sets a resource limit; a lower limit that the operator has set stays."""
    allowed = resource.getrlimit(kind)[1]
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(kind, (soft, hard))


def _see_only(readable: list[str]) -> None:
    """Allows to read and execute only the files `readable`.

    If the kernel supports it: also no TCP, no abstract socket and no signal to another process.
    """
    version = _syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    rights = (1 << _FS_RIGHTS.get(version, 16)) - 1
    net = _BIND_AND_CONNECT_TCP if version >= 4 else 0
    scoped = _ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0
    try:
        rules = _syscall(_CREATE_RULESET, struct.pack("=QQQ", rights, net, scoped), 24, 0)
    except OSError:  # RHEL 9 reports version 6 but has no scopes
        rules = _syscall(_CREATE_RULESET, struct.pack("=QQ", rights, net), 16, 0)
    for path in readable:
        try:
            file = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        rule = struct.pack("=Qi", _EXECUTE | _READ_FILE, file)
        _syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0)
        os.close(file)
    _syscall(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _restrict_system_calls() -> None:
    """Makes every other system call fail as one that the kernel does not have: sockets, processes, signals, ..."""
    machine = os.uname().machine
    a_32_bit_python = struct.calcsize("P") != _POINTER_BYTES  # uname gives it the machine of a 64-bit kernel
    if machine not in _ARCHES or a_32_bit_python:
        raise OSError(f"no list of calls for {machine}")
    arch, column = _ARCHES[machine]
    program = [
        _step(_LOAD, _ARCH_AT),
        _step(_JUMP_IF_EQUAL, arch, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_AT),
    ]
    for number in _numbers(CALLS, column).values():
        program += [_step(_JUMP_IF_EQUAL, number, 0, 1), _step(_RETURN, _ALLOW)]
    numbers = _numbers(CALLS_IN_PART, column)
    for name, argument, mask, value in _conditions():
        if name in numbers:
            program += _allow_if(numbers[name], argument, mask, value)
    program.append(_step(_RETURN, _NO_SUCH_CALL))
    code = ctypes.create_string_buffer(b"".join(program))
    struct_sock_fprog = struct.pack("HP", len(program), ctypes.addressof(code))
    _call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, struct_sock_fprog)


def _conditions() -> "tuple[tuple[str, int, int, int], ...]":
    """Per rule: the call, the index of its argument, a mask, and the value that the masked argument must have."""
    writing = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
    whole = 0xFFFFFFFF
    return (
        ("open", 1, writing, os.O_RDONLY),
        ("openat", 2, writing, os.O_RDONLY),
        ("fcntl", 1, whole - 7, 0),  # up to F_SETLKW; F_SETOWN could have signals sent to others
        ("fcntl", 1, whole, _F_DUPFD_CLOEXEC),
        ("clone", 0, _CLONE_THREAD, _CLONE_THREAD),
        ("prctl", 0, whole, _PR_SET_NAME),
        ("prlimit64", 0, whole, 0),  # our own limits
        ("tgkill", 0, whole, os.getpid()),  # abort()
    )


def _numbers(table: str, column: int) -> dict[str, int]:
    rows = (row.split() for row in table.split(","))
    return {name: int(numbers[column]) for name, *numbers in rows if numbers[column] != "-"}


def _allow_if(number: int, argument: int, mask: int, value: int) -> list[bytes]:
    """Steps that allow the call if the condition holds. They compare the lower 32 bits of the argument, which come
    first because both machines are little-endian.
    """
    return [
        _step(_JUMP_IF_EQUAL, number, 0, 5),
        _step(_LOAD, _ARGUMENTS_AT + 8 * argument),
        _step(_AND, mask),
        _step(_JUMP_IF_EQUAL, value, 0, 1),
        _step(_RETURN, _ALLOW),
        _step(_LOAD, _NUMBER_AT),
    ]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """struct sock_filter."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _syscall(*arguments: "int | bytes | ctypes.Array[ctypes.c_char] | None") -> int:
    return _call("syscall", *arguments)


def _call(name: str, *arguments: "int | bytes | ctypes.Array[ctypes.c_char] | None") -> int:
    """Calls libc's function. Integers are passed as `long` because a variadic function reads whole registers.

    Raises OSError if the function fails or does not exist.
    """
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        raise OSError(f"no {name} here")
    longs = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(function(*longs))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
