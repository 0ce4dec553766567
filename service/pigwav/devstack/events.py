"""The supervisor's log lines. It has few, and waits for as long as the service runs: it loads settings and structlog (20
MiB) only for the first of them.
"""

from typing import Any


def warn(event: str, **values: Any) -> None:
    """Logs as the API does. Configures the log by the settings, unless the command has done it."""
    import structlog  # noqa: PLC0415

    from pigwav.settings import LogFormat, read_settings  # noqa: PLC0415
    from pigwav.telemetry.logs import configure_logging, log  # noqa: PLC0415

    if not structlog.is_configured():
        settings = read_settings()
        configure_logging(as_json=settings.log_format is LogFormat.JSON, level=settings.log_level)
    log.warning(event, **values)
