"""A recording in common S3 tools, on a real MinIO."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

import pytest

from minio_server import ROOT_KEY, ROOT_SECRET
from needs import skip_or_fail
from running_up import plain_environment
from s3tools.stored import TITLE, Stored

DISPOSITION = re.compile(r"attachment; filename=\"[ -~]*\.mp3\"; filename\*=UTF-8''([!-~]*)")
"""RFC 6266: an ASCII name for old programs, the full name for others."""


Tool: TypeAlias = Callable[..., str]


@pytest.fixture
def tool(tmp_path: Path, stored: Stored) -> Tool:
    """`tool(program, *words)` runs it with the operator's key and returns its output."""
    host = stored.endpoint.removeprefix("http://")
    s3cmd = f"[default]\naccess_key = {ROOT_KEY}\nsecret_key = {ROOT_SECRET}\nhost_base = {host}\n"
    (tmp_path / ".s3cfg").write_text(f"{s3cmd}host_bucket = {host}\nuse_https = False\n")
    environment = {
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "MC_HOST_minio": f"http://{ROOT_KEY}:{ROOT_SECRET}@{host}",
        "RCLONE_CONFIG_MINIO_TYPE": "s3",
        "RCLONE_CONFIG_MINIO_PROVIDER": "Minio",
        "RCLONE_CONFIG_MINIO_ENV_AUTH": "true",
        "RCLONE_CONFIG_MINIO_ENDPOINT": stored.endpoint,
    }

    def run(program: str, *words: str) -> str:
        ended = subprocess.run(
            [program, *words],
            env=plain_environment(environment),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def program(name: str, variable: str | None = None) -> str:
    """The path in the variable, otherwise the program on the PATH."""
    found = os.environ.get(variable or "") or shutil.which(name)
    return found or skip_or_fail(
        "s3tools", f"there is no `{name}` on the PATH" + (f" or in {variable}" * bool(variable))
    )


def assert_readable(content_type: str, disposition: str, metadata: dict[str, str], stored: Stored) -> None:
    """Asserts that the headers are readable. `metadata`: values by lower-case name."""
    assert content_type == "audio/mpeg"
    named = DISPOSITION.fullmatch(disposition)
    assert named, disposition
    assert unquote(named[1]) == f"{TITLE}.mp3"
    assert metadata["recording-id"] == stored.recording["id"]
    assert unquote(metadata["title"]) == TITLE


def test_mc_stat_shows_type_disposition_and_metadata(tool: Tool, stored: Stored) -> None:
    told = json.loads(tool(program("mc", "PIGWAV_MC"), "stat", "--json", f"minio/{stored.address}"))

    headers = told["metadata"]
    metadata = {name.lower().removeprefix("x-amz-meta-"): value for name, value in headers.items()}
    assert_readable(headers["Content-Type"], headers["Content-Disposition"], metadata, stored)
    assert told["size"] == stored.recording["bytes"]


def test_mc_ls_shows_keys_that_can_be_read(tool: Tool, stored: Stored) -> None:
    listed = tool(program("mc", "PIGWAV_MC"), "ls", "--recursive", f"minio/{stored.bucket}")

    assert [line.split()[-1] for line in listed.splitlines()] == [stored.key]


def test_rclone_lsjson_shows_type_disposition_and_metadata(tool: Tool, stored: Stored) -> None:
    [told] = json.loads(
        tool(program("rclone"), "lsjson", "-M", "-R", "--files-only", f"minio:{stored.bucket}")
    )

    metadata = told["Metadata"]
    assert told["MimeType"] == "audio/mpeg"
    assert_readable(metadata["content-type"], metadata["content-disposition"], metadata, stored)
    assert (told["Path"], told["Size"]) == (stored.key, stored.recording["bytes"])


def test_aws_head_object_shows_type_disposition_and_metadata(tool: Tool, stored: Stored) -> None:
    where = ("--endpoint-url", stored.endpoint, "--bucket", stored.bucket, "--key", stored.key)
    told = json.loads(tool(program("aws"), "s3api", "head-object", *where))

    assert_readable(told["ContentType"], told["ContentDisposition"], told["Metadata"], stored)
    assert told["ContentLength"] == stored.recording["bytes"]


def test_s3cmd_info_shows_type_and_metadata(tool: Tool, stored: Stored) -> None:
    """s3cmd never shows Content-Disposition."""
    lines = tool(program("s3cmd"), "info", f"s3://{stored.address}").splitlines()

    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    assert told["MIME type"] == "audio/mpeg"
    assert told["File size"] == str(stored.recording["bytes"])
    assert told["x-amz-meta-recording-id"] == stored.recording["id"]
    assert unquote(told["x-amz-meta-title"]) == TITLE


def test_what_a_tool_copies_is_the_mp3(tool: Tool, stored: Stored, tmp_path: Path) -> None:
    tool(program("mc", "PIGWAV_MC"), "cp", "--quiet", f"minio/{stored.address}", "copy.mp3")

    assert hashlib.sha256((tmp_path / "copy.mp3").read_bytes()).hexdigest() == stored.recording["sha256"]
