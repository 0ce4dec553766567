"""JSON files that contain secrets."""

import json
import os
import tempfile
from pathlib import Path


def write_private_json(path: Path, content: object) -> None:
    """Writes a file that only its owner may read (mode 0600).

    The write is atomic, also on a power failure: a reader sees either the old file or the new one. Raises OSError.
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
