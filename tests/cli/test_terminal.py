"""Output that appears only at a terminal: progress, tables, questions."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from cli.person import Person
from client.both import UPLOADED, recording_json
from factories import STREAMED, wav
from fakes.stub_service import Reply, one_after_the_other, problem, stub_service
from longer import long
from terminals import CTRL_C, Terminal

TOKEN = "00000000-0000-4000-8000-000000000000"
LINK = r"http://\S+/record\?id=\S+&user=\d+"


@contextmanager
def stalled_upload(person: Person, *words: object) -> Iterator[tuple[Terminal, threading.Event]]:
    """`pigwav upload` of 64 MB files at a terminal, to a service that reads nothing until the event is set."""
    goes_on = threading.Event()

    def answer(_method: str, _target: str) -> Reply:
        assert goes_on.wait(60)
        return problem(415, "not-a-wav", "No.")

    for name in ("a.wav", "b.wav"):
        with (person.home / name).open("wb") as sparse:
            sparse.truncate(64_000_000)
    with stub_service(answer) as stub:
        visitor = person.with_environment(PIGWAV_URL=stub.url, PIGWAV_USER=1, PIGWAV_TOKEN=TOKEN)
        with visitor.at_terminal("upload", *words) as terminal:
            try:
                yield terminal, goes_on
            finally:
                goes_on.set()


def test_link_of_one_upload_is_all_that_stays_on_the_screen(anna: Person) -> None:
    anna.file("a.wav", seconds=5)

    status, screen = anna.seen("upload", "a.wav")

    assert (status, screen) == (0, f"{anna.listed()[0]['url']}\n")


def test_progress_shows_bytes_speed_and_time_left_of_each_and_of_all(newcomer: Person) -> None:
    with stalled_upload(newcomer, "a.wav", "b.wav") as (terminal, goes_on):
        terminal.wait_for_screen(
            r"0 of 2 .+ \d+\.\d/128\.0 MB +\S+ .B/s +(\d\d|--):(\d\d|--)\n"
            r"a\.wav .+ \d+\.\d/64\.0 MB .+\n"
            r"b\.wav .+ \d+\.\d/64\.0 MB .+\n"
        )
        goes_on.set()
        assert terminal.end() == 4

    assert "MB" not in terminal.screen(), "progress does not stay"


def test_progress_is_drawn_on_the_thread_that_prints(newcomer: Person) -> None:
    """Another thread that draws at that moment leaves lines on the screen."""
    script = """
import threading
from pigwav.cli.progress import transfers

with transfers(2) as bars, bars.following("a.wav"):
    threads = threading.active_count()
print(threads)
"""
    with newcomer.at_terminal(command=[sys.executable, "-c", script]) as terminal:
        assert terminal.end() == 0

    assert "0 of 2" in terminal.typed_out
    assert terminal.screen() == "1\n"


def test_ctrl_c_ends_an_upload_quietly_and_gives_the_cursor_back(newcomer: Person) -> None:
    with stalled_upload(newcomer, "a.wav", "b.wav") as (terminal, _):
        terminal.wait_for("B/s")
        terminal.type(CTRL_C)
        status = terminal.end()

    told = terminal.screen().strip().removeprefix("^C")
    assert (status, told) == (130, "pigwav: Interrupted; 0 of 2 are done.")
    assert terminal.typed_out.rindex("\x1b[?25h") > terminal.typed_out.rindex("\x1b[?25l")


def test_ctrl_c_tells_the_links_that_are_there_and_what_was_not_sent(anna: Person) -> None:
    anna.file("a.wav")
    os.mkfifo(anna.home / "pipe")
    command = ["bash", "-c", f"exec {Person.program()} upload <(cat pipe) a.wav < /dev/null"]
    with anna.at_terminal(command=command) as terminal, (anna.home / "pipe").open("wb") as never_ending:
        never_ending.write(wav(seconds=1, data_size=STREAMED))
        never_ending.flush()
        terminal.wait_for("1 of 2")
        terminal.type(CTRL_C)
        status = terminal.end()

    assert status == 130
    assert "pigwav: Interrupted; 1 of 2 are done.\n" in terminal.screen()
    assert re.search(r"^/dev/fd/\d+\s+not sent$", terminal.screen(), re.MULTILINE)
    assert anna.listed()[0]["url"] in terminal.screen()
    assert "2 of 2" not in terminal.typed_out


def test_ctrl_c_at_a_question_is_no_answer(anna: Person) -> None:
    link = anna.upload()
    for words, question in ((["delete", link], "[y/N] "), (["login"], "Token: ")):
        with anna.at_terminal(*words) as terminal:
            terminal.wait_for(question)
            terminal.type(CTRL_C)
            assert terminal.end() == 130
        assert "Traceback" not in terminal.typed_out
    assert len(anna.listed()) == 1


def test_several_uploads_end_with_a_table(anna: Person) -> None:
    anna.file("folder/a.wav", seconds=2.5)
    anna.file("folder/notes.wav", b"hello")
    anna.file("folder/z.wav", seconds=61)

    status, screen = anna.seen("upload", "folder", columns=140)

    links = {recording["title"]: recording["url"] for recording in anna.listed()}
    told, *table = screen.splitlines()
    assert status == 1
    assert re.fullmatch(r"pigwav: folder/notes\.wav: .+ \(not-a-wav\)", told)
    assert [re.split(r"\s{2,}", re.sub(r"\d+\.\d kB", "SIZE", line)) for line in table] == [
        ["FILE", "LENGTH", "SIZE", "LINK"],
        ["folder/a.wav", "2.5 s", "SIZE", links["a"]],
        ["folder/notes.wav", "failed: not-a-wav"],
        ["folder/z.wav", "1:01", "SIZE", links["z"]],
    ]


def test_quiet_upload_says_the_links_alone(anna: Person) -> None:
    anna.file("folder/a.wav")
    anna.file("folder/b.wav")

    with anna.at_terminal("upload", "folder", "-q") as terminal:
        assert terminal.end() == 0

    links = [recording["url"] for recording in reversed(anna.listed())]
    assert sorted(terminal.typed_out.split()) == sorted(links)
    assert "\x1b" not in terminal.typed_out


def test_links_get_into_a_file_though_progress_is_shown(anna: Person) -> None:
    anna.file("folder/a.wav")
    anna.file("folder/b.wav")

    with (anna.home / "links").open("w") as file:
        words = ("upload", "folder")
        with anna.at_terminal(*words, standard_output=file.fileno()) as terminal:
            assert terminal.end() == 0

    assert "of 2" in terminal.typed_out
    assert re.fullmatch(rf"{LINK}\n{LINK}\n", (anna.home / "links").read_text())


@pytest.mark.parametrize("columns", [40, *long(100, 160)])
def test_list_is_a_table_whose_links_are_whole_at_any_width(anna: Person, columns: int) -> None:
    title = "Планёрка 日本語 " * 6
    anna.upload(anna.file("a.wav", seconds=61), "--title", title.strip())
    anna.upload(anna.file("b.wav"), "--title", "[red]b")

    with anna.at_terminal("list", columns=columns) as terminal:
        assert terminal.end() == 0
    screen = terminal.screen()

    assert screen.splitlines()[0].split()[:4] == ["TITLE", "LENGTH", "SIZE", "WHEN"]
    assert [line for line in screen.splitlines() if "[red]b" in line]
    assert re.search(r"1:01 +\d+\.\d kB +20\d\d-\d\d-\d\d \d\d:\d\d", screen)
    for recording in anna.listed():
        assert recording["url"] in screen
    beside = columns >= 160
    assert bool(re.search(r"\d\d:\d\d +-\d+\.\d +http", screen)) is beside
    assert ("…" in screen) is True
    assert "\x1b[1m" in terminal.typed_out, "the heads are bold"


def test_list_shows_a_page_while_the_next_is_still_to_come(newcomer: Person) -> None:
    goes_on = threading.Event()

    def answer(_method: str, target: str) -> Reply:
        if "cursor" not in target:
            rows = [recording_json(id=str(UUID(int=number)), title=f"take {number}") for number in range(200)]
            return Reply.json(200, {"items": rows, "next": "b"})
        assert goes_on.wait(60)
        return Reply.json(200, {"items": [recording_json(title="the last")], "next": None})

    with stub_service(answer) as stub:
        visitor = newcomer.with_environment(PIGWAV_URL=stub.url, PIGWAV_USER=1, PIGWAV_TOKEN=TOKEN)
        with visitor.at_terminal("list") as terminal:
            try:
                terminal.wait_for("take 199")
                assert "the last" not in terminal.typed_out
            finally:
                goes_on.set()
            assert terminal.end() == 0

    assert "the last" in terminal.screen()


BUSY = problem(503, "overloaded", "Full.", limit="uploads", headers={"Retry-After": "1"})
WHY = "Full. (overloaded, limit: uploads)"
WHY_OF_HEAD = "Service Unavailable. (service-unavailable)"  # HEAD has no body


@pytest.mark.parametrize(("command", "why"), [("list", WHY), ("upload", WHY), ("download", WHY_OF_HEAD)])
def test_who_waits_for_a_busy_service_is_told_why(newcomer: Person, command: str, why: str) -> None:
    done = {
        "list": Reply.json(200, {"items": [recording_json()], "next": None}),
        "upload": UPLOADED,
        "download": Reply.mp3(b"mp3"),
    }
    with stub_service(one_after_the_other(BUSY, done[command])) as stub:
        words = {
            "list": [],
            "upload": [newcomer.file("a.wav")],
            "download": [f"{stub.url}/record?id=a&user=1"],
        }
        visitor = newcomer.with_environment(PIGWAV_URL=stub.url, PIGWAV_USER=1, PIGWAV_TOKEN=TOKEN)

        status, screen = visitor.seen(command, *words[command])

    assert status == 0
    assert screen.splitlines().count(f"pigwav: Waiting 1 s, then trying again: {why}") == 1, screen


@pytest.mark.parametrize("command", ["upload", "download"])
def test_who_wants_quiet_waits_in_silence(newcomer: Person, command: str) -> None:
    with stub_service(
        one_after_the_other(BUSY, UPLOADED if command == "upload" else Reply.mp3(b"m"))
    ) as stub:
        what = newcomer.file("a.wav") if command == "upload" else f"{stub.url}/record?id=a&user=1"
        visitor = newcomer.with_environment(PIGWAV_URL=stub.url, PIGWAV_USER=1, PIGWAV_TOKEN=TOKEN)

        status, screen = visitor.seen(command, "-q", what)

    assert (status, screen.count("\n")) == (0, 1)


def test_elsewhere_nobody_is_told_of_waiting(newcomer: Person) -> None:
    with stub_service(one_after_the_other(BUSY, UPLOADED)) as stub:
        visitor = newcomer.with_environment(PIGWAV_URL=stub.url, PIGWAV_USER=1, PIGWAV_TOKEN=TOKEN)

        ended = visitor.run("upload", newcomer.file("a.wav"))

    assert (ended.returncode, ended.stderr) == (0, "")


def test_list_of_nothing_says_what_to_do(anna: Person) -> None:
    status, screen = anna.seen("list")

    assert status == 0
    assert "pigwav upload" in screen


def test_delete_names_what_it_is_about_to_delete(anna: Person) -> None:
    links = [anna.upload(anna.file(f"{name}.wav")) for name in ("Standup", "Lunch")]

    with anna.at_terminal("delete", *links) as terminal:
        terminal.wait_for("[y/N] ")
        assert {"Standup", "Lunch"} <= set(terminal.screen().split())
        terminal.type("no\n")
        assert terminal.end() == 1
    assert len(anna.listed()) == 2

    with anna.at_terminal("delete", links[0]) as terminal:
        terminal.wait_for("[y/N] ")
        assert re.search(r"Delete Standup \(0\.5 s, 20\d\d-\d\d-\d\d \d\d:\d\d\)\?", terminal.screen())
        terminal.type("y\n")
        assert terminal.end() == 0
    assert [recording["title"] for recording in anna.listed()] == ["Lunch"]


def test_download_shows_progress_and_then_the_name(anna: Person) -> None:
    link = anna.upload(anna.file("a.wav", seconds=30))

    with anna.at_terminal("download", link) as terminal:
        assert terminal.end() == 0

    assert terminal.screen() == "a.mp3\n"
    assert "a.mp3" in terminal.typed_out.partition("\x1b[?25h")[0]


def test_a_recording_from_a_terminal_is_not_waited_for(anna: Person) -> None:
    status, screen = anna.seen("upload", "-")

    assert status == 2
    assert "Standard input is a terminal" in screen


def test_an_mp3_does_not_go_to_a_terminal(newcomer: Person) -> None:
    status, screen = newcomer.seen("download", "http://127.0.0.1:1/record?id=1&user=1", "-o", "-")

    assert (status, screen) == (2, "pigwav: Standard output is a terminal: pipe the MP3 into something.\n")


def test_no_colour_where_nobody_wants_any(anna: Person) -> None:
    anna.upload()
    plain = Person(anna.home, anna.url, {"NO_COLOR": "1"})

    with plain.at_terminal("upload", "take one.wav") as terminal:
        assert terminal.end() == 0

    assert not re.search(r"\x1b\[[\d;]*(3[0-7]|9[0-7]|38;|48;)[\d;]*m", terminal.typed_out)


def test_dumb_terminal_gets_no_escape_sequence(anna: Person) -> None:
    anna.file("folder/a.wav")
    anna.file("folder/b.wav")

    for words in (["upload", "folder"], ["list"]):
        with anna.at_terminal(*words, kind="dumb") as terminal:
            assert terminal.end() == 0
        assert "\x1b" not in terminal.typed_out
        assert "http://" in terminal.typed_out


@pytest.mark.parametrize("variable", ["FORCE_COLOR", *long("CLICOLOR_FORCE", "TTY_COMPATIBLE")])
def test_elsewhere_nothing_is_coloured_or_moved(anna: Person, variable: str) -> None:
    anna.file("folder/a.wav")
    anna.file("folder/notes.wav", b"hello")
    forced = Person(anna.home, anna.url, {variable: "1"})

    for words in (["upload", "folder"], ["list"], ["list", "--json"], ["upload", "--help"], ["nonsense"]):
        ended = forced.run_anew(*words)
        assert "\x1b" not in ended.stdout + ended.stderr, words


def test_output_in_an_old_encoding_is_escaped_and_no_traceback(anna: Person) -> None:
    anna.upload("--title", "Планёрка 日本", anna.file("a.wav"))
    old = Person(anna.home, anna.url, {"PYTHONIOENCODING": "ascii"})

    for words in (["list"], ["list", "--json"], ["show", anna.listed()[0]["id"]]):
        ended = old.run_anew(*words)
        assert ended.returncode == 0, ended
        assert r"\u041f\u043b\u0430\u043d\u0451\u0440\u043a\u0430 \u65e5\u672c" in ended.stdout


def test_a_pipe_given_as_a_file_is_uploaded(anna: Person) -> None:
    anna.file("a.wav")
    command = f"{Person.program()} upload <(cat a.wav) --title piped"

    ended = subprocess.run(
        ["bash", "-c", command],
        env=anna.all_variables(),
        cwd=anna.home,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert anna.listed()[0]["title"] == "piped"


def test_credentials_survive_ctrl_c_at_any_question(anna: Person) -> None:
    before = anna.credentials_file.read_bytes()

    with anna.at_terminal("logout") as terminal:
        terminal.wait_for("[y/N] ")
        terminal.type(CTRL_C)
        assert terminal.end() == 130

    assert anna.credentials_file.read_bytes() == before
