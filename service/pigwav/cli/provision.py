"""The operator's commands for an S3 server: provision, s3-check."""

import json
from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from pigwav.cli.configured import DEFAULT_DATA, DataOption, settings_without_logs, store_on


def add_commands(app: typer.Typer) -> None:
    app.command()(provision)
    app.command()(s3_check)


def provision(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit status 1 if something is missing or wrong.")
    ] = False,
) -> None:
    """Create the bucket and the service's own access key.

    Then tests that this key can do the service's work and nothing else. Needs the operator's key in
    PIGWAV_PROVISION_ACCESS_KEY and PIGWAV_PROVISION_SECRET_KEY, and the service's key in PIGWAV_S3_ACCESS_KEY and
    PIGWAV_S3_SECRET_KEY. Can be run again at any time.
    """
    from pigwav.errors import NotProvisioned  # noqa: PLC0415 - the base install has no server
    from pigwav.provisioning.provision import Provision  # noqa: PLC0415
    from pigwav.provisioning.steps import State  # noqa: PLC0415
    from pigwav.settings.redaction import shown  # noqa: PLC0415
    from pigwav.store.connection import connection_to  # noqa: PLC0415

    settings = settings_without_logs()
    counts = dict.fromkeys(State, 0)
    for step in Provision(settings.store, settings.provision).run(look_only=check):
        typer.echo(step)
        counts[step.state] += 1
    if counts[State.WRONG] or (check and counts[State.TO_DO]):
        raise NotProvisioned
    made = counts[State.MADE]
    typer.echo(f"Changes: {made}." if made else "Nothing had to be changed.")
    address = settings.store.public_endpoint or shown(connection_to(settings.store).endpoint)
    typer.echo(f"S3 tools find the bucket {settings.store.bucket} at {address}.")


def s3_check(
    *,
    endpoint: Annotated[
        str | None, typer.Option(help="URL of the S3 server, instead of PIGWAV_S3_ENDPOINT.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Test whether an S3 server behaves as the service needs. Exit status 1: a test failed.

    Works under its own prefix in PIGWAV_S3_BUCKET and leaves nothing behind.
    """
    from pigwav.errors import NotProvisioned  # noqa: PLC0415 - the base install has no server
    from pigwav.provisioning.compatibility import open_probe  # noqa: PLC0415

    findings = []
    with (
        store_on(data, endpoint) as settings,
        open_probe(settings) as probe,
        closing(probe.findings()) as tested,
    ):
        for finding in tested:
            findings.append(finding)
            if not as_json:
                state = "ok" if finding.ok else "FAILED"
                typer.echo(f"{state:8}{finding.took_ms:8.1f} ms  {finding.behaviour}")
            if not (as_json or finding.ok):
                typer.echo(f"{'':21}{finding.problem}\n{'':21}to change: {finding.change}")
        answers = findings[0].ok
        server = probe.server() if answers else ""
        warnings = probe.warnings() if answers else []
    if as_json:
        found = {"findings": [asdict(finding) for finding in findings], "warnings": warnings}
        typer.echo(json.dumps({"server": server, **found, "left": probe.left}))
    else:
        for line in (*warnings, *probe.left):
            typer.echo(f"warning {line}")
    if probe.left:
        raise NotProvisioned(f"Not everything that s3-check stored could be removed from {settings.bucket}.")
    if not all(finding.ok for finding in findings):
        raise NotProvisioned("The object store does not do all that the service needs.")
    if not as_json:
        typer.echo(f"This server does all that the service needs. Its Server header: {server or 'none'}.")
