"""`pigwav download`."""

import hashlib
import os
import re
import subprocess

import httpx2
import pytest

from cli.person import Person, id_in
from client.both import ID, recording_json
from fakes.stub_service import Reply, problem, stub_service

MP3 = b"\xff\xfb" * 100_000
MP3_HEADERS = {"ETag": f'"{hashlib.sha256(MP3).hexdigest()}"'}


def fetched(link: str) -> bytes:
    return httpx2.get(link).raise_for_status().content


def test_output_that_is_named_is_written_and_no_more_is_said(anna: Person) -> None:
    link = anna.upload()
    output = anna.file("old.mp3", b"\xff\xfb, an older one")

    ended = anna.run("download", link, "-o", "old.mp3")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert output.read_bytes() == fetched(link)


def test_output_that_is_no_mp3_is_replaced_only_where_that_is_said(anna: Person) -> None:
    link = anna.upload()
    output = anna.home / "take one.wav"
    before = output.read_bytes()

    refused = anna.run("download", link, "-o", output.name)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "pigwav: take one.wav exists and is not an MP3. Use -f to replace it.\n"
    assert output.read_bytes() == before

    assert anna.run("download", link, "-o", output.name, "-f").returncode == 0
    assert output.read_bytes() == fetched(link)


def test_without_an_output_the_service_names_the_file(anna: Person) -> None:
    link = anna.upload(anna.file("Планёрка: понедельник.wav"))

    ended = anna.run("download", link)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "Планёрка_ понедельник.mp3\n", "")
    assert (anna.home / "Планёрка_ понедельник.mp3").read_bytes() == fetched(link)


def test_it_needs_no_user(anna: Person, newcomer: Person) -> None:
    link = anna.upload()

    assert newcomer.with_environment().run("download", link, "-o", "a.mp3").returncode == 0


def test_the_address_of_a_listening_page_is_as_good_as_the_link(anna: Person) -> None:
    link = anna.upload()
    page = link.replace("/record?", "/listen?") + "&t=61.5"

    ended = anna.run("download", page, "-o", "a.mp3")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert (anna.home / "a.mp3").read_bytes() == fetched(link)


def test_several_links_go_into_a_folder_which_is_made(anna: Person) -> None:
    links = [anna.upload(anna.file(f"{name}.wav")) for name in "ab"]

    ended = anna.run("download", *links, "-o", f"music/new{os.sep}")

    assert (ended.returncode, ended.stdout) == (0, "music/new/a.mp3\nmusic/new/b.mp3\n")
    assert {path.name for path in (anna.home / "music" / "new").iterdir()} == {"a.mp3", "b.mp3"}
    assert anna.run("download", *links, "-o", "one.mp3").returncode == 2
    assert not (anna.home / "one.mp3").exists()


def test_name_from_the_service_costs_no_file_that_is_there_unless_told_to(anna: Person) -> None:
    link = anna.upload(anna.file("a.wav"))
    there = anna.file("a.mp3", b"mine")

    assert anna.run("download", link).stdout == "a (2).mp3\n"
    assert there.read_bytes() == b"mine"
    assert (anna.home / "a (2).mp3").read_bytes() == fetched(link)

    assert anna.run("download", link, "-f").stdout == "a.mp3\n"
    assert there.read_bytes() == fetched(link)


def test_recordings_of_one_title_get_a_file_each_and_are_not_fetched_twice(anna: Person) -> None:
    wavs = [anna.file(f"{seconds}/Same.wav", seconds=seconds) for seconds in (1, 2)]
    links = anna.run("upload", *wavs).stdout.split()
    words = ("download", *links, links[0], "-o", "two/", "-f")

    first = anna.run(*words)
    files = [anna.home / name for name in first.stdout.splitlines()]
    inodes = [file.stat().st_ino for file in files]
    again = anna.run(*words)

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == "two/Same.mp3\ntwo/Same (2).mp3\n"
    assert [file.read_bytes() for file in files] == [fetched(link) for link in links]
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert [file.stat().st_ino for file in files] == inodes
    assert {*files[0].parent.iterdir()} == {*files}


def test_id_is_looked_up_as_ones_own_and_the_token_goes_nowhere_else(newcomer: Person) -> None:
    def answer(_method: str, target: str) -> Reply:
        if target.startswith("/records/"):
            return Reply.json(200, recording_json(url=f"{stub.url}/record?id={ID}&user=1"))
        return Reply(200, MP3, MP3_HEADERS)

    with stub_service(answer) as stub:
        given = {"PIGWAV_URL": stub.url, "PIGWAV_USER": 1, "PIGWAV_TOKEN": ID}
        ended = newcomer.with_environment(**given).run("download", ID, "-o", "a.mp3")
    without = newcomer.run("download", ID)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert (newcomer.home / "a.mp3").read_bytes() == MP3
    asked = [one.target for one in stub.received if "Authorization" in one.headers]
    assert asked == [f"/records/{ID}"]
    assert without.returncode == 3


def test_link_that_the_shell_cut_is_told_to_be(newcomer: Person) -> None:
    ended = newcomer.run("download", f"{newcomer.url}/record?id={ID}")

    assert (ended.returncode, ended.stderr) == (
        2,
        "pigwav: The link is incomplete. Put it in quotes: the shell ends a command at &.\n",
    )


def test_standard_output_gets_the_mp3_and_wrong_bytes_are_told(anna: Person) -> None:
    link = anna.upload()
    command = f"exec {Person.program()} download '{link}' -o - > piped.mp3"
    piped = subprocess.run(
        ["bash", "-c", command], cwd=anna.home, env=anna.all_variables(), capture_output=True, check=False
    )
    with stub_service(lambda *_: Reply(200, bytes(9), MP3_HEADERS)) as stub:
        wrong = anna.run("download", f"{stub.url}/record?id=1&user=1", "-o", "-")

    assert (piped.returncode, piped.stderr) == (0, b"")
    assert (anna.home / "piped.mp3").read_bytes() == fetched(link)
    assert wrong.returncode == 6
    assert "SHA-256" in wrong.stderr


def test_one_dead_link_does_not_stop_the_others(anna: Person) -> None:
    dead, alive = (anna.upload(anna.file(f"{name}.wav")) for name in "ab")
    assert anna.run("delete", dead, "-y").returncode == 0

    ended = anna.run("download", dead, alive)

    assert (ended.returncode, ended.stdout) == (1, "b.mp3\n")
    assert ended.stderr.startswith(f"pigwav: {dead}: ")
    assert ended.stderr.count("\n") == 1


def test_dead_and_malformed_links_are_refused_with_their_codes(anna: Person) -> None:
    link = anna.upload()
    assert anna.run("delete", link, "-y").returncode == 0

    ended = anna.run("download", link, link.replace("user=", "user=x"))

    assert (ended.returncode, ended.stdout) == (4, "")
    assert re.findall(r" \((.+)\)\n", ended.stderr) == ["recording-not-found", "invalid-request"]
    assert not [*anna.home.glob("*.mp3*")]


def test_partial_file_is_gone_on_with(anna: Person) -> None:
    link = anna.upload(anna.file("a.wav", seconds=20))
    whole = fetched(link)
    part = anna.file("a.mp3.pigwav-part", whole[:100_000])

    assert anna.run("download", link).returncode == 0

    assert (anna.home / "a.mp3").read_bytes() == whole
    assert not part.exists()


def test_wrong_bytes_are_not_kept(newcomer: Person) -> None:
    with stub_service(lambda *_: Reply(200, MP3[:-1] + b"\0", MP3_HEADERS)) as stub:
        ended = newcomer.run("download", f"{stub.url}/record?id=1&user=1", "-o", "a.mp3")

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (6, "", 1)
    assert "SHA-256" in ended.stderr
    assert not (newcomer.home / "a.mp3").exists()


@pytest.mark.parametrize(
    ("link", "status"),
    [("http://127.0.0.1:1/record?id=1&user=1", 5), ("example.org/record", 2), ("file:///etc/passwd", 2)],
)
def test_link_that_leads_nowhere_is_one_sentence(newcomer: Person, link: str, status: int) -> None:
    ended = newcomer.run("download", link, "-o", "a.mp3")

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (status, "", 1)
    assert "Traceback" not in ended.stderr


def test_name_that_leads_out_of_the_folder_does_not(newcomer: Person) -> None:
    named = {"Content-Disposition": "attachment; filename=\"../.bashrc\"; filename*=UTF-8''..%2F.bashrc"}
    with stub_service(lambda *_: Reply(200, MP3, MP3_HEADERS | named)) as stub:
        ended = newcomer.run("download", f"{stub.url}/record?id=1&user=1")

    assert ended.returncode == 0, ended
    assert [path.name for path in newcomer.home.iterdir()] == ["bashrc"]
    assert ended.stdout == "bashrc\n"


def test_token_is_not_sent_with_a_link(anna: Person) -> None:
    with stub_service(lambda *_: problem(404, "recording-not-found", "No.")) as stub:
        anna.run("download", f"{stub.url}/record?id=1&user=1", "-o", "a.mp3")

    assert stub.received
    assert not any("Authorization" in received.headers for received in stub.received)


def test_links_of_a_list_may_be_piped_into_it(anna: Person) -> None:
    """The example of the help: `pigwav list | cut -f 5 | xargs pigwav download -o FOLDER`."""
    links = [anna.upload(anna.file(f"{name}.wav")) for name in "ab"]
    listed = [line.split("\t")[4] for line in anna.run("list").stdout.splitlines()]

    assert [id_in(link) for link in reversed(listed)] == [id_in(link) for link in links]
