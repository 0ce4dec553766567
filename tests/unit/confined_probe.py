"""Confines itself like a decoder, attempts forbidden operations, and prints the outcome of each as JSON.

    python confined_probe.py FOLDER_OF_CONFINE MEANS FILE TCP_PORT

Finally it tries to replace itself with a shell that prints "executed".
"""

import fcntl
import json
import mmap
import os
import resource
import socket
import sys
from pathlib import Path


def main(folder: str, means: str, file: str, port: str) -> None:
    sys.path.append(folder)
    import confine

    server = os.getppid()
    attempts = {
        "read a file": lambda: os.open(file, os.O_RDONLY),
        "learn a file's size": lambda: Path(file).stat(),
        "learn whether a file exists": lambda: exists(file) and not exists(f"{file}.none"),
        "list a folder": lambda: list(Path("/").iterdir()),
        "write to a file": lambda: os.open(file, os.O_WRONLY),
        "make a file": lambda: os.open(f"{file}.new", os.O_CREAT | os.O_WRONLY),
        "cut a file": lambda: os.truncate(file, 0),
        "change a file's mode": lambda: Path(file).chmod(0o600),
        "remove a file": lambda: Path(f"{file}.old").unlink(),
        "make a file in memory": lambda: os.memfd_create("program"),
        "open a TCP connection": lambda: socket.create_connection(("127.0.0.1", int(port))),
        "listen on TCP": lambda: socket.create_server(("127.0.0.1", 0)),
        "send a datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("127.0.0.1", 9)),
        "make a Unix socket": socket.socketpair,
        "signal the server": lambda: os.kill(server, 0),
        "have the server signalled": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, server),
        "change the server's limits": lambda: resource.prlimit(
            server, resource.RLIMIT_CORE, resource.prlimit(server, resource.RLIMIT_CORE)
        ),
        "fork": fork,
        "take a GiB of memory": lambda: mmap.mmap(-1, 1 << 30),
    }
    confine.take(means.split(","), 60, [], parent=server)
    found = {what: outcome(attempt) for what, attempt in attempts.items()}
    sys.stdout.write(f"{json.dumps(found)}\n")
    sys.stdout.flush()
    outcome(lambda: os.execv("/bin/sh", ["sh", "-c", "echo executed"]))


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def exists(file: str) -> bool:
    """Whether opening the file, which Landlock refuses, is refused in the way of a file that exists."""
    try:
        os.close(os.open(file, os.O_RDONLY))
    except FileNotFoundError:
        return False
    except PermissionError:
        pass
    return True


def outcome(attempt) -> str:
    try:
        done = attempt()
    except OSError:
        return "refused"
    return "refused" if done is False else "done"


if __name__ == "__main__":
    main(*sys.argv[1:])
