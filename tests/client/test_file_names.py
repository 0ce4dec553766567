"""Names from a service become safe file names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.client import safe_name
from pigwav.client.file_names import NAMELESS, file_name
from pigwav.disposition import content_disposition


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('inline; filename="a.mp3"', "a.mp3"),
        ("attachment; filename=a.mp3", "a.mp3"),
        (
            "inline; filename=\"_.mp3\"; filename*=UTF-8''%D0%97%D0%B0%D0%BF%D0%B8%D1%81%D1%8C.mp3",
            "Запись.mp3",
        ),
        ("inline; filename*=utf-8'ru'%D1%8F.mp3; filename=\"_.mp3\"", "я.mp3"),
        ("inline; filename*=iso-8859-1''caf%E9.mp3", "café.mp3"),
        ("inline; filename=\"a.mp3\"; filename*=koi8-r''%D1.mp3", "a.mp3"),
        (r'inline; filename="say \"hi\".mp3"', 'say "hi".mp3'),
        ("inline; filename=\"x; filename*=UTF-8''evil.mp3\"", "x; filename*=UTF-8''evil.mp3"),
        ('inline; FileName = "a.mp3"', "a.mp3"),
        ("inline; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("inline; filename*=UTF-8''%2E%2E", NAMELESS),
        ('inline; filename=".bashrc"', "bashrc"),
        ("inline", NAMELESS),
        ("", NAMELESS),
    ],
)
def test_name_is_that_of_the_header(header: str, name: str) -> None:
    assert file_name(header) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("C:\\Temp\\a.mp3", "a.mp3"),
        ("a\r\nb\0.mp3", "ab.mp3"),
        ("\u202e3pm.exe.mp3", "3pm.exe.mp3"),
        ("...", NAMELESS),
        ("a/", NAMELESS),
        ("a.mp3. ", "a.mp3"),
        ("Ж" * 200 + ".mp3", "Ж" * 118 + ".mp3"),
    ],
)
def test_name_is_made_safe(text: str, name: str) -> None:
    assert safe_name(text) == name


@given(st.text())
def test_safe_name_is_one_path_component_whatever_comes(text: str) -> None:
    name = safe_name(text)
    assert name not in ("", ".", "..")
    assert not name.startswith(".")
    assert not {*name} & {*"/\\\0\n\r"}
    assert len(name.encode()) <= 240
    assert safe_name(name) == name


@given(st.text(max_size=40))
def test_name_that_the_service_sends_arrives(title: str) -> None:
    sent = content_disposition(f"{title}.mp3", inline=True)
    assert file_name(sent).endswith(".mp3")
    assert file_name(sent) == safe_name(file_name(sent))
