"""Generates service/docs/s3-compatibility.md from the output of `pigwav s3-check --json` for each server.

pigwav s3-check --json > minio.json         # and so on, each with its PIGWAV_S3_*
python tests/docs/s3_compatibility.py 'MinIO (source of 2026-02-12)=minio.json' 'SeaweedFS 4.48=seaweed.json'
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = Path(__file__).parents[2] / "service" / "docs" / "s3-compatibility.md"
HEAD: Final = """# S3 compatibility

The behaviours that the service needs of an S3 server, and the servers that were tested. The table is the output of
`pigwav s3-check`, which tests the configured server (`PIGWAV_S3_*`) under a separate prefix and leaves nothing behind.
Run it on your server before you use it; if a behaviour fails, the output names the setting to change. The
milliseconds are from one run with server and client on the same two cores: they compare behaviours, not servers.

This file is written by `tests/docs/s3_compatibility.py`. The same servers pass `tests/contracts`, which tests more,
and so does moto, which imitates AWS (S3 and IAM). If moto differs from AWS, the test is marked `moto_differs`. AWS
itself was not tested.

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
