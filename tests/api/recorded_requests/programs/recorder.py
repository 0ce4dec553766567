"""Stores uploads as they arrive on the wire, and answers 200: python recorder.py PORT FOLDER.

`POST /records?recording=NAME` is stored in FOLDER/NAME.http, head and body, with the framing of its chunks.
"""

import re
import socket
import sys
from pathlib import Path


def received(connection: socket.socket) -> bytes:
    """One request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head = data.partition(b"\r\n\r\n")[0].lower()
    if b"expect: 100-continue" in head:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head)
    while len(data) < len(head) + 4 + int(length[1]) if length else not data.endswith(b"0\r\n\r\n"):
        data += connection.recv(65536)
    return data


def main(port: int, folder: Path) -> None:
    listening = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = listening.accept()
        with connection:
            data = received(connection)
            if name := re.search(rb"recording=([\w-]+)", data.partition(b"\r\n")[0]):
                (folder / f"{name[1].decode()}.http").write_bytes(data)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
