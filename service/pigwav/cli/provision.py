"""The operator's commands for an object store: provision, s3-check."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pigwav.cli.operate import DataOption

if TYPE_CHECKING:
    from pigwav.settings import StoreSettings
    from pigwav.store.compatibility import Finding


def add_commands(app: typer.Typer) -> None:
    app.command()(provision)
    app.command()(s3_check)


def provision(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only look; exit status 1 where something is amiss.")
    ] = False,
) -> None:
    """Make the bucket and the service's own access key.

    Proves that this key can do its work and nothing else. Needs the operator's key in PIGWAV_PROVISION_ACCESS_KEY and
    PIGWAV_PROVISION_SECRET_KEY, the service's in PIGWAV_S3_ACCESS_KEY and PIGWAV_S3_SECRET_KEY. May be repeated.
    """
    from pigwav.errors import NotProvisioned  # noqa: PLC0415 - the base install has no server
    from pigwav.settings import read_settings  # noqa: PLC0415
    from pigwav.store.provision import Provision, State  # noqa: PLC0415

    settings = read_settings()
    counts = dict.fromkeys(State, 0)
    for step in Provision(settings.store, settings.provision).run(look_only=check):
        typer.echo(f"{step.state:8}{step.what}")
        counts[step.state] += 1
    if counts[State.WRONG] or (check and counts[State.TO_DO]):
        raise NotProvisioned
    made = counts[State.MADE]
    typer.echo(f"Changes: {made}." if made else "Nothing had to be changed.")
    address = settings.store.public_endpoint or settings.store.endpoint or "AWS"
    typer.echo(f"S3 tools find the bucket {settings.store.bucket} at {address}.")


def s3_check(
    *,
    endpoint: Annotated[
        str | None, typer.Option(help="URL of the S3 server, instead of PIGWAV_S3_ENDPOINT.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    data: DataOption = Path("pigwav-data"),
) -> None:
    """Try on an S3 server each behaviour that the service needs. Exit status 1: something is missing.

    Works under a prefix of its own in PIGWAV_S3_BUCKET and leaves nothing behind.
    """
    from pigwav.errors import NotProvisioned  # noqa: PLC0415 - the base install has no server
    from pigwav.store.compatibility import open_probe  # noqa: PLC0415

    findings = []
    with _store(endpoint, data) as settings, open_probe(settings) as probe:
        for finding in probe.findings():
            findings.append(finding)
            if not as_json:
                typer.echo(_line(finding))
        answers = findings[0].ok
        server = probe.server() if answers else ""
    if as_json:
        typer.echo(json.dumps({"server": server, "findings": [asdict(finding) for finding in findings]}))
    if not all(finding.ok for finding in findings):
        raise NotProvisioned("The object store does not do all that the service needs.")
    if not as_json:
        typer.echo(f"This server does all that the service needs. It calls itself {server or 'nothing'}.")


def _line(finding: "Finding") -> str:
    line = f"{'ok' if finding.ok else 'FAILED':8}{finding.took_ms:8.1f} ms  {finding.behaviour}"
    if finding.ok:
        return line
    return f"{line}\n{'':21}{finding.problem}\n{'':21}to change: {finding.change}"


@contextmanager
def _store(endpoint: str | None, data: Path) -> "Iterator[StoreSettings]":
    """The configured store; where none is, that of the `pigwav up` on `data`."""
    from pydantic import SecretStr  # noqa: PLC0415

    from pigwav.devstack import stack_for  # noqa: PLC0415
    from pigwav.settings import StoreSettings, read_port_range, read_settings  # noqa: PLC0415

    settings = read_settings()
    if endpoint:
        yield settings.store.model_copy(update={"endpoint": endpoint})
    elif settings.store.bucket:
        yield settings.store
    else:
        with stack_for(data, new=False, ports=read_port_range(settings.embedded_ports)) as stack:
            yield StoreSettings(
                endpoint=stack.s3_endpoint,
                bucket=stack.s3_bucket,
                access_key=stack.s3_access_key,
                secret_key=SecretStr(stack.s3_secret_key),
            )
