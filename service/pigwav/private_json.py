"""JSON files with secrets in them."""

import json
import os
import tempfile
from pathlib import Path


def write_private_json(path: Path, content: object) -> None:
    """Write a file that only its owner may read (mode 0600).

    A reader sees the old file or the new one, never half of it, also after a power cut. Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
