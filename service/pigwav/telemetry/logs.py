"""Structured logs on standard error: constant event names, ids, units. No line contains a token or a link."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _not_found(package: str) -> Iterator[None]:
    """During the block, an import of the package fails as if it were not installed."""
    found = sys.modules.pop(package, None)
    sys.modules[package] = None  # type: ignore[assignment] # as `import` documents it
    try:
        yield
    finally:
        del sys.modules[package]
        if found is not None:
            sys.modules[package] = found


with _not_found("rich"):  # structlog imports it for tracebacks that we do not use: 4 MiB in each API process
    import structlog

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("pigwav")


def configure_logging(*, as_json: bool, level: str) -> None:
    """Sends our events and those of every library through one formatter. `level`: DEBUG, INFO, WARNING or ERROR;
    libraries (except uvicorn) have at least WARNING.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([structlog.processors.format_exc_info] if as_json else []),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(as_json=as_json),
            ],
        )
    )
    # Below WARNING, drivers log the data that they handle: rows, headers, signatures.
    of_libraries = max(logging.WARNING, logging.getLevelNamesMapping()[level])
    logging.basicConfig(handlers=[handler], level=of_libraries, force=True)
    for talks_of_itself in ("pigwav", "uvicorn"):
        logging.getLogger(talks_of_itself).setLevel(level)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns about every malformed body
    logging.getLogger("uvicorn.access").disabled = True  # it would log links; api.request_log logs requests


def _renderer(*, as_json: bool) -> structlog.types.Processor:
    if as_json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    # The default shows the values of local variables, which include tokens.
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
