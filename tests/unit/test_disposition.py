"""Content-Disposition for any name: one safe line that contains the full name."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.disposition import content_disposition

SHAPE = re.compile(
    r"(inline|attachment); filename=\"([A-Za-z0-9 ._()+,@&=-]+)\"; "
    r"filename\*=UTF-8''([!#$&+\-.^_`|~%A-Za-z0-9]+)"
)


def names(text: str, *, inline: bool = False) -> tuple[str, str]:
    """The ASCII file name and the full one, as a client reads them."""
    found = SHAPE.fullmatch(content_disposition(text, inline=inline))
    assert found is not None
    assert found[1] == ("inline" if inline else "attachment")
    return found[2], unquote(found[3], errors="strict")


@pytest.mark.parametrize(
    ("name", "ascii_name", "full_name"),
    [
        ("talk.mp3", "talk.mp3", "talk.mp3"),
        ("Talk (2) v1.5.mp3", "Talk (2) v1.5.mp3", "Talk (2) v1.5.mp3"),
        ("Совещание.mp3", "recording.mp3", "Совещание.mp3"),
        ("Запись 5.mp3", "_ 5.mp3", "Запись 5.mp3"),
        ("naïve café.mp3", "naive cafe.mp3", "naïve café.mp3"),
        ("😀.mp3", "recording.mp3", "😀.mp3"),
        ("й.mp3", "recording.mp3", "й.mp3"),
        ("100%41.mp3", "100_41.mp3", "100%41.mp3"),
        ('a"b\\c/d.mp3', "a_b_c_d.mp3", "a_b_c_d.mp3"),
        ("../../etc/passwd.mp3", "_.._etc_passwd.mp3", "_.._etc_passwd.mp3"),
        ("a\r\nSet-Cookie: x=1.mp3", "aSet-Cookie_ x=1.mp3", "aSet-Cookie_ x=1.mp3"),
        ("evil\u202e3pm.exe.mp3", "evil3pm.exe.mp3", "evil3pm.exe.mp3"),
        ("a\u2028b\ud800.mp3", "a b.mp3", "a b.mp3"),
        (".mp3", "recording.mp3", "recording.mp3"),
        ("... .mp3", "recording.mp3", "recording.mp3"),
        ("..", "recording", "recording"),
        ("", "recording", "recording"),
    ],
)
def test_name_is_safe_in_ascii_and_in_full(name: str, ascii_name: str, full_name: str) -> None:
    assert names(name) == (ascii_name, full_name)


def test_listening_in_place_is_inline() -> None:
    assert names("a.mp3", inline=True) == ("a.mp3", "a.mp3")


def test_long_name_fits_a_file_system_and_keeps_its_extension() -> None:
    _, full = names("ж" * 5000 + ".mp3")
    assert full == "ж" * 100 + ".mp3"


@given(st.text(st.characters()))  # surrogates too
def test_any_name_makes_one_safe_line_with_a_real_file_name(name: str) -> None:
    for text in names(f"{name}.mp3"):
        assert text.endswith(".mp3")
        assert text.removesuffix(".mp3").strip(" .")
        assert len(text.encode()) <= 255
        assert not re.search(r"[/\\\"\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


@given(st.text(st.sampled_from("abcАБВ 012-_()"), min_size=1).filter(lambda text: text == text.strip()))
def test_harmless_name_is_kept_to_the_letter(name: str) -> None:
    assert names(f"{name[:90]}x.mp3")[1] == f"{name[:90]}x.mp3"
