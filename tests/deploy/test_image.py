"""The image without Compose."""

import sys
from pathlib import Path

import httpx2

from accounts import Account, register
from deploy.engine import Container, docker, inspect, run, running, volume
from waiting import wait_until

READ_ONLY = ("--read-only", "--tmpfs", "/tmp", "--cap-drop=ALL")  # SeaweedFS needs /tmp
TOOLS = ("gcc", "cc", "g++", "make", "ld", "cmake", "cargo", "go")


def service(container: Container) -> httpx2.Client:
    return httpx2.Client(base_url=f"http://127.0.0.1:{container.published(8080)}", timeout=60)


def test_it_runs_as_an_ordinary_user_and_holds_no_build_tools(image: str) -> None:
    made = inspect(image)
    find = "for tool; do command -v $tool; done; id -u"
    found = docker("run", "--rm", "--entrypoint", "sh", image, "-c", find, "sh", *TOOLS)

    sys.stdout.write(f"{made['Size'] / 1e6:.0f} MB, user {made['Config']['User']}\n")
    assert found == "10001"  # and no tool was found
    assert made["Config"]["User"] == "10001:10001"
    assert made["Config"]["Healthcheck"]
    assert [*made["Config"]["Volumes"]] == ["/data"]


def test_its_entrypoint_is_the_program(image: str) -> None:
    for command in ("up", "serve", "migrate", "doctor"):
        assert f"pigwav {command}" in docker("run", "--rm", image, command, "--help")


def test_with_nothing_configured_it_embeds_everything_and_one_volume_keeps_it(image: str) -> None:
    with volume() as data:
        options = (*READ_ONLY, "-p", "127.0.0.1::8080", "-v", f"{data}:/data")
        with running(image, *options) as first:
            first.until_healthy()
            with service(first) as http:
                account = register(http)
                made = account.recording(seconds=2)
            assert first.stop() == 0
        with running(image, *options) as second:
            second.until_healthy()
            with service(second) as http:
                answer = http.get(f"/record/{made['id']}.mp3", params={"user": account.id})
                assert answer.headers["ETag"] == f'"{made["sha256"]}"'
                assert Account(http, account.id, account.token).recording()


def test_half_configured_it_says_in_one_sentence_what_is_missing(image: str) -> None:
    known = (
        "-e",
        "POSTGTRES_SQL_URI=postgresql://a:b@c/d",
        "-e",
        "API_HOSTNAME=localhost",
        "-e",
        "API_PORT=8080",
    )
    ended = run(["docker", "run", "--rm", *known, image])

    assert ended.returncode == 1
    assert ended.stderr.startswith("pigwav: PIGWAV_S3_BUCKET is not set: ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_folder_that_it_may_not_write_is_named_in_one_sentence(image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    ended = run(["docker", "run", "--rm", "-v", f"{tmp_path}:/data:ro", image])

    assert ended.returncode == 1
    assert ended.stderr.startswith("pigwav: The data folder /data cannot be used: ")
    assert len(ended.stderr.splitlines()) == 1


def test_orphans_are_buried(image: str) -> None:
    with running(image) as container:
        container.until_healthy()
        container.run("sh", "-c", "sleep 0.1 & sleep 0.1 &")  # their parent ends first
        # Zombies have no command line, but a name.
        names = ("sh", "-c", "cat /proc/[0-9]*/comm 2> /dev/null || true")
        wait_until(lambda: "sleep" not in container.run(*names).split())
