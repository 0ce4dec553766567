"""The supervisor's log lines. There are few, and it waits for as long as the service runs: it loads structlog and the
settings (20 MiB) for the first one.
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
