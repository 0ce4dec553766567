"""`pigwav upload` without a terminal."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from cli.person import Person, closed_end
from factories import STREAMED, wav
from fakes.stub_service import Received, Reply, problem, stub_service
from pigwav.cli.sources import wavs_in


def titles(person: Person) -> list[str]:
    return sorted(recording["title"] for recording in person.listed())


def test_one_file_ends_with_its_link_alone(anna: Person) -> None:
    ended = anna.run("upload", anna.file("Запись №1.wav"))

    [recording] = anna.listed()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{recording['url']}\n", "")
    assert recording["title"] == "Запись №1"


def test_links_of_several_come_in_the_order_of_the_files(anna: Person) -> None:
    files = [anna.file(f"{name}.wav", seconds=seconds) for name, seconds in (("c", 20), ("a", 0.1), ("b", 5))]

    ended = anna.run("upload", *files, "--jobs", 3)

    by_link = {recording["url"]: recording["title"] for recording in anna.listed()}
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [by_link[link] for link in ended.stdout.splitlines()] == ["c", "a", "b"]


def test_folder_means_every_wav_in_it_at_any_depth_sorted(anna: Person) -> None:
    for name in ("b.WAV", "a/z.wave", "a/y.bwf", "c.rf64", "notes.txt", "._b.wav", ".trash/old.wav"):
        anna.file(f"folder/{name}")

    ended = anna.run("upload", "folder")

    by_link = {recording["url"]: recording["title"] for recording in anna.listed()}
    assert ended.returncode == 0, ended
    assert [by_link[link] for link in ended.stdout.splitlines()] == ["y", "z", "b", "c"]


def test_file_that_is_named_twice_is_sent_once(anna: Person) -> None:
    anna.file("folder/a.wav")

    assert anna.run("upload", "folder", "folder/a.wav", "folder").returncode == 0

    assert titles(anna) == ["a"]


def test_one_bad_file_does_not_stop_the_others(anna: Person) -> None:
    files = (anna.file("a.wav"), anna.file("notes.wav", b"hello"), anna.home / "gone.wav", anna.file("z.wav"))
    (anna.home / "empty").mkdir()

    ended = anna.run("upload", *files, "empty")

    assert ended.returncode == 1
    assert titles(anna) == ["a", "z"]
    assert len(ended.stdout.splitlines()) == 2
    told = ended.stderr.splitlines()
    assert len(told) == 3
    assert any(re.fullmatch(rf"pigwav: {files[1]}: .+ \(not-a-wav\)", line) for line in told)
    assert f"pigwav: {files[2]}: No such file or directory" in told
    assert "pigwav: empty: No regular file in this folder ends in .wav, .wave, .bwf, .rf64." in told


def test_folder_without_a_wav_is_no_success(anna: Person) -> None:
    (anna.home / "empty").mkdir()

    ended = anna.run("upload", "empty")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ".wav" in ended.stderr


@pytest.mark.parametrize(("count", "status"), [(1, 4), (2, 4)])
def test_exit_status_is_that_of_the_failures_where_all_failed_alike(
    anna: Person, count: int, status: int
) -> None:
    bad = [anna.file(f"{n}.wav", b"hello") for n in range(count)]

    ended = anna.run("upload", *bad)

    assert (ended.returncode, ended.stdout) == (status, "")
    assert ended.stderr.count("(not-a-wav)") == count


def test_bad_token_ends_all_at_once_with_one_sentence(anna: Person) -> None:
    files = [anna.file(f"{n}.wav") for n in range(5)]
    token = "00000000-0000-4000-8000-000000000000"

    ended = anna.run("upload", *files, "--user", anna.remembered["user"], "--token", token)

    assert (ended.returncode, ended.stdout) == (3, ""), ended.stderr
    assert [line.rpartition(" ")[2] for line in ended.stderr.splitlines()] == ["(not-authenticated)"]


def test_standard_input_may_be_a_pipe_or_a_file(anna: Person) -> None:
    file = anna.file("a.wav", seconds=2)

    with subprocess.Popen(["cat", file], stdout=subprocess.PIPE) as cat:
        piped = anna.run("upload", "-", "--title", "Из трубы", "--bitrate", 320, stdin=cat.stdout)
    with file.open("rb") as opened:
        read = anna.run("upload", "-", stdin=opened)

    assert (piped.returncode, piped.stderr, read.returncode, read.stderr) == (0, "", 0, "")
    newer, older = anna.listed()
    assert (older["title"], older["bitrate_kbps"], older["duration_ms"]) == ("Из трубы", 320, 2000)
    assert (newer["title"], newer["wav_bytes"]) == (None, file.stat().st_size)


def test_standard_input_goes_along_with_files(anna: Person) -> None:
    file = anna.file("a.wav", seconds=2)

    with subprocess.Popen(["cat", file], stdout=subprocess.PIPE) as cat:
        ended = anna.run("upload", file, "-", stdin=cat.stdout)

    assert ended.returncode == 0, ended
    assert [recording["duration_ms"] for recording in anna.listed()] == [2000, 2000]


def test_title_is_for_one_wav(anna: Person) -> None:
    anna.file("folder/a.wav")
    assert anna.run("upload", "folder", "--title", "Standup").returncode == 0
    assert titles(anna) == ["Standup"]

    anna.file("folder/b.wav")
    for words in (["folder"], ["folder/a.wav", "folder/b.wav"]):
        ended = anna.run("upload", *words, "--title", "Standup")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "--title" in ended.stderr
    assert titles(anna) == ["Standup"]


def test_json_is_an_object_a_line_for_every_wav(anna: Person) -> None:
    text = "hello, world. " * 9
    files = (anna.file("a.wav"), anna.file("notes.wav", text.encode()), anna.home / "gone.wav")

    ended = anna.run("upload", *files, "-", "--json", typed=text)

    good, bad, gone, piped = map(json.loads, ended.stdout.splitlines())
    assert ended.returncode == 1
    assert good == {"file": str(files[0]), "recording": anna.listed()[0]}
    detail = "The body is text, not a WAV. Look at it in an editor, and send the recording itself."
    refused = {"code": "not-a-wav", "detail": detail, "found": "text"}
    assert bad == {"file": str(files[1]), "error": refused}
    assert gone["file"] == str(files[2])
    assert gone["error"] == {"code": "file-missing", "detail": "No such file or directory"}
    assert piped == {"file": "-", "error": refused}


def test_wav_that_is_shorter_than_it_promises_is_converted_and_told(anna: Person) -> None:
    whole = wav(seconds=2)
    ended = anna.run("upload", anna.file("torn.wav", whole[: len(whole) // 2]))

    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 1)
    assert re.fullmatch(
        r"pigwav: .*torn\.wav: The header declares 2\.000 s .* the first 1\.000 s\. The end is missing\.\n",
        ended.stderr,
    )
    shown = anna.run("show", ended.stdout.strip())
    assert re.search(r"^warning\tThe header declares 2\.000 s", shown.stdout, re.MULTILINE)


def test_streamed_wav_without_a_size_is_no_torn_one(anna: Person) -> None:
    ended = anna.run("upload", anna.file("streamed.wav", wav(seconds=1, data_size=STREAMED)))

    assert (ended.returncode, ended.stderr) == (0, "")


def test_ctrl_c_ends_quietly_while_it_waits_for_a_pipe(anna: Person) -> None:
    reading, writing = os.pipe()
    with (
        os.fdopen(reading) as stdin,
        os.fdopen(writing, "wb") as never_ending,
        subprocess.Popen(
            [sys.executable, "-m", "pigwav", "upload", "-"],
            env=anna.all_variables(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        never_ending.write(wav(seconds=20, data_size=STREAMED))  # exceeds the pipe: it is being read
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (130, "", "")
    assert anna.listed() == []


def test_closed_standard_output_is_no_traceback(anna: Person) -> None:
    anna.upload()
    end = closed_end()
    with subprocess.Popen(
        [sys.executable, "-m", "pigwav", "list"],
        env=anna.all_variables(),
        stdout=end,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(end)
        _, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (141, "")


def test_busy_service_is_asked_again(anna: Person) -> None:
    answers = iter((problem(503, "overloaded", "Full."), problem(503, "overloaded", "Full.")))

    def answer(_method: str, _target: str) -> Reply:
        return next(answers, problem(415, "not-a-wav", "No."))

    with stub_service(answer) as stub:
        anna.file("a.wav")
        ended = anna.with_environment(
            PIGWAV_URL=stub.url, PIGWAV_USER=1, PIGWAV_TOKEN="00000000-0000-4000-8000-000000000000"
        ).run("upload", "a.wav")
        bodies: list[Received] = [*stub.received]

    assert (ended.returncode, ended.stderr) == (4, "pigwav: a.wav: No. (not-a-wav)\n")
    assert len(bodies) == 3


def test_hidden_and_other_files_of_a_folder_are_left_out(anna: Person) -> None:
    (anna.home / "x").mkdir()
    anna.file("x/b.wav")
    anna.file("x/a.Wave")

    assert [source.name for source in wavs_in(anna.home / "x").sources] == [
        str(anna.home / "x" / "a.Wave"),
        str(anna.home / "x" / "b.wav"),
    ]
    assert [source.name for source in wavs_in(anna.home / "any.thing").sources] == [
        str(anna.home / "any.thing")
    ]


def test_what_may_never_end_is_skipped_in_a_folder(anna: Person) -> None:
    anna.file("folder/a.wav")
    anna.file("folder/take.wav/b.wav")
    folder = anna.home / "folder"
    os.mkfifo(folder / "pipe.wav")
    (folder / "to pipe.wav").symlink_to("pipe.wav")
    (folder / "zero.wav").symlink_to("/dev/zero")
    (folder / "again").symlink_to(folder)
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(folder):
        listening.bind("socket.wav")

    ended = anna.run("upload", "folder")

    assert ended.returncode == 0, ended
    assert titles(anna) == ["a", "b"]
    assert sorted(ended.stderr.splitlines()) == [
        f"pigwav: folder/{name}: skipped, because it is {what}."
        for name, what in (
            ("again", "a link to a folder"),
            ("pipe.wav", "a pipe"),
            ("socket.wav", "a socket"),
            ("to pipe.wav", "a pipe"),
            ("zero.wav", "a device"),
        )
    ]


def test_folder_with_nothing_but_a_pipe_is_no_success(anna: Person) -> None:
    (anna.home / "folder").mkdir()
    os.mkfifo(anna.home / "folder" / "pipe.wav")

    ended = anna.run("upload", "folder")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        "pigwav: folder/pipe.wav: skipped, because it is a pipe.",
        "pigwav: folder: No regular file in this folder ends in .wav, .wave, .bwf, .rf64.",
    ]


def test_each_file_of_a_folder_that_cannot_be_sent_is_named_and_the_others_are_sent(anna: Person) -> None:
    anna.file("folder/a.wav")
    anna.file("folder/empty.wav", b"")
    folder = anna.home / "folder"
    (folder / "broken.wav").symlink_to("nowhere.wav")
    (folder / "circle.wav").symlink_to("circle.wav")

    ended = anna.run("upload", "folder")

    assert ended.returncode == 1
    assert titles(anna) == ["a"]
    told = ended.stderr.splitlines()
    assert told[:2] == [
        "pigwav: folder/broken.wav: No such file or directory",
        "pigwav: folder/circle.wav: Too many levels of symbolic links",
    ]
    assert len(told) == 3
    assert told[2].startswith("pigwav: folder/empty.wav: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_unreadable_subfolder_does_not_stop_the_others(anna: Person) -> None:
    anna.file("folder/a.wav")
    (anna.home / "folder" / "locked").mkdir(mode=0)

    ended = anna.run("upload", "folder")

    assert (ended.returncode, ended.stderr) == (1, "pigwav: folder/locked: Permission denied\n")
    assert titles(anna) == ["a"]


def test_pipe_that_is_named_is_sent(anna: Person) -> None:
    os.mkfifo(anna.home / "pipe.wav")

    with subprocess.Popen(["sh", "-c", 'cat "$1" > pipe.wav', "sh", anna.file("a.wav")], cwd=anna.home):
        ended = anna.run("upload", "pipe.wav")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert titles(anna) == ["pipe"]
