"""`pigwav list | show | rename | delete`."""

import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2

from cli.person import Person, id_in
from factories import chunk, fmt_chunk, riff, wav
from fakes.stub_service import Reply, problem, stub_service

DRIVING = {"\x1b", "\x07", "\x9b", "\u202e", "\u202c"}
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u202c\nsecond line\tin red [bold red]\x9b31m"


def test_list_is_a_line_each_newest_first_with_tabs_between(anna: Person) -> None:
    older = anna.upload(anna.file("a.wav", seconds=1), "--title", "Планёрка")
    newer = anna.upload(anna.file("b.wav", seconds=2.5))

    ended = anna.run("list")

    first, second = (line.split("\t") for line in ended.stdout.splitlines())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [first[0], first[1], first[4]] == ["b", "2.500", newer]
    assert [second[0], second[1], second[4]] == ["Планёрка", "1.000", older]
    assert int(second[2]) == len(httpx2.get(older).content)
    assert datetime.now(UTC) - datetime.fromisoformat(first[3]) < timedelta(minutes=2)


def test_list_and_show_draw_waveforms(anna: Person) -> None:
    rising = riff(fmt_chunk(rate=8_000, channels=1) + chunk(b"data", loudness_rising()))
    link = anna.upload(anna.file("a.wav", rising))

    [line] = anna.run("list", "--waveform").stdout.splitlines()
    shown = dict(line.split("\t") for line in anna.run("show", link, "--waveform").stdout.splitlines())
    ascii_only = Person(anna.home, anna.url, anna.environment | {"PYTHONIOENCODING": "ascii"})
    [in_ascii] = ascii_only.run_anew("list", "--waveform").stdout.splitlines()
    listed = json.loads(anna.run("list", "--waveform", "--json").stdout)
    status, screen = anna.seen("list", "--waveform", columns=40)

    assert line.split("\t")[5:] == [shown["loudness"].removesuffix(" LUFS"), "none", WEDGE]
    assert shown["waveform"] == WEDGE
    assert in_ascii.endswith("\t" + WEDGE.translate(str.maketrans("▁▂▃▄▅▆▇█", "_.-:=+*#")))
    assert json.loads(anna.run("show", link, "--waveform", "--json").stdout)["peaks"] == listed[0]["peaks"]
    assert status == 0
    drawing = screen.splitlines()[-1].strip()
    assert (len(drawing), drawing[0], drawing[-1]) == (38, "▁", "█")


def loudness_rising() -> bytes:
    """96 pieces of 20 ms, each a little louder than the one before it."""
    steps = range(1, 97)
    return b"".join(struct.pack("<2h", 300 * step, -300 * step) * 80 for step in steps)


WEDGE = "".join("▁▂▃▄▅▆▇█"[round(7 * -(-300 * step // 256) / 113)] for step in range(1, 97))


def test_list_of_nothing_is_nothing(anna: Person) -> None:
    assert anna.run("list").stdout == ""
    assert anna.run("list", "--json").stdout == "[]\n"


def test_list_can_be_limited_and_goes_on_over_pages(anna: Person) -> None:
    files = [anna.file(f"{n}.wav", seconds=0.05) for n in range(5)]
    assert anna.run("upload", *files, "--jobs", 1).returncode == 0

    assert [line[0] for line in anna.run("list", "--limit", 3).stdout.splitlines()] == ["4", "3", "2"]
    assert anna.run("list").stdout.count("\n") == 5
    assert len(json.loads(anna.run("list", "--json", "--limit", 2).stdout)) == 2
    assert anna.run("list", "--limit", 0).returncode == 2


def test_list_searches_in_titles(anna: Person) -> None:
    for title in ("Standup, Monday", "Interview"):
        anna.upload(anna.file("a.wav", seconds=0.05), "--title", title)

    assert anna.run("list", "--search", "mon standup").stdout == ""
    assert anna.run("list", "--search", "standup mon").stdout.startswith("Standup, Monday\t")
    assert anna.seen("list", "--search", "nothing") == (0, "No title has these words.\n")


def test_json_is_that_of_the_http_contract(anna: Person) -> None:
    link = anna.upload(anna.file("a.wav"))
    who = anna.remembered
    answer = httpx2.get(
        f"{anna.url}/records/{id_in(link)}", headers={"Authorization": f"Bearer {who['token']}"}
    ).json()
    moment = answer.pop("created_at")

    for found in (anna.listed()[0], json.loads(anna.run("show", link, "--json").stdout)):
        assert datetime.fromisoformat(found.pop("created_at")) == datetime.fromisoformat(moment)
        assert found == answer


def test_show_takes_an_id_or_either_link_and_tells_the_tags(anna: Person) -> None:
    body = b"INFO" + b"".join(
        name + len(text).to_bytes(4, "little") + text + b"\0" * (len(text) % 2)
        for name, text in ((b"INAM", "Утро".encode("cp1251")), (b"IART", b"Studio 1"))
    )
    tagged = wav(seconds=1, before=b"LIST" + len(body).to_bytes(4, "little") + body)
    link = anna.upload(anna.file("a.wav", tagged))
    recording = id_in(link)

    by_id = anna.run("show", recording)

    facts = dict(line.split("\t") for line in by_id.stdout.splitlines())
    assert (by_id.returncode, by_id.stderr) == (0, "")
    assert (facts["title"], facts["tag title"], facts["tag artist"]) == ("Утро", "Утро", "Studio 1")
    assert (facts["link"], facts["id"], facts["length"]) == (link, recording, "1.0 s")
    assert facts["page"] == link.replace("/record?", "/listen?")
    assert facts["wav"] == "pcm_s16le, 44100 Hz, stereo"
    for other in (link, facts["page"], f"{anna.url}/record/{recording}.mp3?user=1", recording.upper()):
        assert anna.run("show", other).stdout == by_id.stdout


def test_what_is_no_id_is_a_mistake_in_the_command(anna: Person) -> None:
    for command, wrong, *more in (
        ("show", "nonsense"),
        ("rename", "http://a/record?id=", "x"),
        ("delete", "a/b.mp3", "-y"),
    ):
        ended = anna.run(command, wrong, *more)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr == f"pigwav: {wrong} is not a recording id or link.\n"


def test_recording_that_is_not_there_is_refused_with_the_code(anna: Person) -> None:
    for words in (["show", uuid4()], ["rename", uuid4(), "x"], ["delete", "-y", uuid4()]):
        ended = anna.run(*words)
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (4, "", 1)
        assert ended.stderr.endswith("(recording-not-found)\n")


def test_renamed_recording_has_the_new_title_and_download_name(anna: Person) -> None:
    link = anna.upload()

    assert anna.run("rename", link, "Standup, Monday").stdout == "Renamed: Standup, Monday\n"
    assert anna.listed()[0]["title"] == "Standup, Monday"
    assert anna.run("download", link).stdout == "Standup, Monday.mp3\n"

    assert anna.run("rename", id_in(link), "").stdout == "Renamed: (untitled)\n"
    assert anna.listed()[0]["title"] is None


def test_delete_does_nothing_where_nobody_can_be_asked(anna: Person) -> None:
    link = anna.upload()

    ended = anna.run("delete", link)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "pigwav: Cannot ask for confirmation: standard input is not a terminal. Use -y to confirm.\n"
    )
    assert len(anna.listed()) == 1

    assert anna.run("delete", link, "-y").stdout == "Deleted: take one\n"
    assert anna.listed() == []
    assert httpx2.get(link).status_code == 404


def test_delete_of_several_goes_on_behind_one_that_is_gone(anna: Person) -> None:
    links = [anna.upload(anna.file(f"{name}.wav")) for name in "ab"]

    ended = anna.run("delete", "-y", links[0], uuid4(), links[0], links[1])

    assert (ended.returncode, ended.stdout) == (1, "Deleted: a\nDeleted: b\n")
    assert ended.stderr.count("(recording-not-found)") == 1
    assert anna.listed() == []


def test_what_a_service_says_cannot_drive_a_terminal_or_break_a_line(anna: Person) -> None:
    """PigWav cleans titles, but another or an older service may not."""
    anna.upload()
    recording = anna.listed()[0] | {"title": HOSTILE, "tags": {"artist": HOSTILE}}
    with stub_service(lambda _, target: _of_stub(target, recording)) as stub:
        visitor = anna.with_environment(
            PIGWAV_URL=stub.url, PIGWAV_USER=1, PIGWAV_TOKEN=anna.remembered["token"]
        )
        for words in (["list"], ["list", "--json"], ["show", recording["id"]], ["show", uuid4()]):
            ended = visitor.run(*words)
            assert not DRIVING & set(ended.stdout + ended.stderr)
            assert "[bold red]" in ended.stdout + ended.stderr
        assert visitor.run("list").stdout.count("\n") == 1
        assert visitor.listed()[0]["title"] == HOSTILE, "in JSON an escape means the same"
        status, screen = visitor.seen("list")

    assert status == 0
    assert r"\x1b]0;owned\x07\x1b[2J\u202egnp.exe" in screen.replace("\n", "")


def _of_stub(target: str, recording: dict[str, Any]) -> Reply:
    if target.startswith("/records?"):
        return Reply.json(200, {"items": [recording], "next": None})
    if recording["id"] in target:
        return Reply.json(200, recording)
    return problem(404, "recording-not-found", HOSTILE)
