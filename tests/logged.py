"""Captures the service's log lines."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Line = dict[str, Any]


class _Keep(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, dict):  # structlog's event, before it is rendered
            self.lines.append(dict(record.msg))


@contextmanager
def logged() -> Iterator[list[Line]]:
    """The log lines at INFO and above during the block; `event` names each line."""
    logger, keep = logging.getLogger("pigwav"), _Keep()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(keep)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield keep.lines
    finally:
        logger.removeHandler(keep)
        logger.setLevel(level)
        logger.propagate = propagate
