"""Generates service/docs/s3-compatibility.md from the output of `pigwav s3-check --json` for each server.

pigwav s3-check --json > minio.json         # and so on, each with its PIGWAV_S3_*
python tests/docs/s3_compatibility.py 'MinIO (source of 2026-02-12)=minio.json' 'SeaweedFS 4.48=seaweed.json'
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = Path(__file__).parents[2] / "service" / "docs" / "s3-compatibility.md"
HEAD: Final = """# S3 servers that the service was tried on

What the service needs of an S3 server, and which servers do it: the output of `pigwav s3-check`, which tries each
behaviour on the server that is configured (`PIGWAV_S3_*`), under a prefix of its own, and leaves nothing behind. Try
it on yours before you move there; where something fails it says which setting to change. The milliseconds are those
of one run, server and client on the same two cores: they compare behaviours, not servers.

This file is written by `tests/docs/s3_compatibility.py`. The same servers and a store in memory pass
`tests/contracts`, which asks more. So does moto, which plays AWS (S3 with its error codes and smallest part, and IAM)
in the tests; what it does otherwise than AWS is marked `moto_differs` there. AWS itself was not tried.

"""


def document(servers: dict[str, dict[str, Any]]) -> str:
    """`servers`: the output of s3-check by the server's name and version."""
    names = [behaviour["behaviour"] for behaviour in next(iter(servers.values()))["findings"]]
    rows = [("Behaviour", *servers), ("---",) * (len(servers) + 1)]
    for row, name in enumerate(names):
        rows.append((name, *(_cell(answer["findings"][row]) for answer in servers.values())))
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(finding: dict[str, Any]) -> str:
    return f"yes, {finding['took_ms']:.0f} ms" if finding["ok"] else f"**no**: {finding['problem']}"


if __name__ == "__main__":
    named = dict(argument.split("=", 1) for argument in sys.argv[1:])
    DOCUMENT.write_text(document({name: json.loads(Path(path).read_text()) for name, path in named.items()}))
