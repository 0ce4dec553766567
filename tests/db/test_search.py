"""Search by the words of titles."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from databases import as_owner, fresh_database
from pigwav.db import search
from pigwav.db.engine import open_engine
from pigwav.db.migrate import upgrade
from pigwav.db.models import RecordingRow
from pigwav.db.session import Database
from pigwav.devstack import StackAddress
from pigwav.domain import UserId
from pigwav.errors import InvalidField
from pigwav.titles import searched, title_from
from titled_rows import add_titled_rows

USER = UserId(1)
MANY = 6_000
MANY_TITLES = """
    concat_ws(' ', 'Call', n, CASE WHEN n % 2 = 0 THEN 'even' END, CASE WHEN n <= 1500 THEN 'archive' END,
      CASE WHEN n % 3 = 0 AND n > 5000 THEN 'Budget' END)
"""


def opened(url: str) -> Iterator[Database]:
    database = Database(open_engine(url))
    yield database
    database.close()


@pytest.fixture(scope="module")
def one(stack: StackAddress) -> Iterator[Database]:
    """The user has one recording, which was there before this release."""
    url = fresh_database(stack.database_url, revision="0007")
    add_titled_rows(url, "anna", count=1, title="'Before the upgrade'")
    upgrade(as_owner(url))
    yield from opened(url)


@pytest.fixture(scope="module")
def many(stack: StackAddress) -> Iterator[Database]:
    """The user has `MANY` recordings, and so has another one."""
    url = fresh_database(stack.database_url)
    add_titled_rows(url, "anna", count=MANY, title=MANY_TITLES)
    add_titled_rows(url, "berta", count=MANY, title="'Call archive'")
    yield from opened(url)


def is_found(database: Database, sought: str) -> bool:
    with database.read() as db:
        return len(search.matching(db, USER, sought, limit=9)) == 1


def entitle(database: Database, title: str | None) -> None:
    with database.begin() as db:
        db.execute(update(RecordingRow).values(title=title))


def test_a_recording_of_an_earlier_release_is_found(one: Database) -> None:
    entitle(one, "Before the upgrade")
    assert is_found(one, "upgrade before")


@pytest.mark.parametrize(
    ("title", "found", "not_found"),
    [
        ("Standup, Monday", ["standup", "MONDAY stand", "mon", "Monday, standup!"], ["tand", "stand mon", "tuesday"]),
        ("meeting", ["meet", "meeting"], ["meetings", "met"]),
        ("Планёрка в ПЯТНИЦУ", ["планерка", "ПЛАНЁРКА", "пятн"], ["ланёрка"]),
        ("За\u0301мок", ["замок", "ЗА\u0301МОК"], []),
        ("Café Müller, naïve", ["cafe muller", "CAFÉ", "nai"], []),
        ("a.b foo-bar -5 3.14", ["a.b", "b a", "foo-bar", "bar foo", "-5", "5", "3.14", "14"], ["ab", "foobar", "6"]),
        ("www.example.org/x/y.wav?z=1", ["example", "www.example.org", "y.wav", "/x", "z=1"], ["xample"]),
        ("anna@example.org", ["anna", "anna@example.org", "org"], []),
        ("C:\\Temp\\take_2 (final).wav", ["take", "temp take 2", "\\Temp", "final"], []),
        ("O'Brien & \"Sons\" | !*:", ["o'brien", "brien sons", "& | sons", "sons:*"], ["sons & | daughters"]),
        ("2026-11-24 08:30", ["2026-11-24", "08:30", "11 2026"], ["202611"]),
        ("שלום עולם", ["עולם", "שלום"], []),
        ("مکالمه می\u200cخواهم", ["می\u200cخواهم", "میخواهم"], []),
        ("हिन्दी में", ["हिन्दी", "हिन्"], []),
        ("会議の録音", ["会議"], ["録音"]),
        ("한국어 회의", ["한국", "회의"], []),
        ("🎉party👩\u200d👩\u200d👧 ❤\ufe0f ok", ["party", "🎉 party", "ok ❤"], ["🎉", "❤\ufe0f"]),
        ("!!!", [], ["!!!", "!"]),
        (None, [], ["null", "none", "untitled"]),
    ],
)  # fmt: skip
def test_what_is_a_word(one: Database, title: str | None, found: list[str], not_found: list[str]) -> None:
    entitle(one, title)

    assert [sought for sought in found if not is_found(one, sought)] == []
    assert [sought for sought in not_found if is_found(one, sought)] == []


@settings(deadline=None, max_examples=50)  # three transactions each
@given(title=st.text(max_size=200), sought=st.text(max_size=200))
def test_every_title_is_found_by_itself_and_every_search_has_an_answer(
    one: Database, title: str, sought: str
) -> None:
    try:
        plain, sought = title_from(title) or "", searched(sought) or ""
    except InvalidField:  # normalised, it is longer
        return
    entitle(one, plain)
    with one.read() as db:
        has_words = bool(db.scalar(select(func.search_words(USER, plain))))

    assert is_found(one, plain) == has_words
    assert is_found(one, sought) in (True, False)


@pytest.mark.parametrize("character", ["\ufdfa", "\U0001d160", "\u0390", "ﬃ", "𒐫", "x", "각"])
def test_the_longest_title_of_any_alphabet_is_found(one: Database, character: str) -> None:
    entitle(one, character * 200)

    assert is_found(one, character * 200) or character == "\U0001d160"


@pytest.mark.parametrize(
    ("sought", "expected"),
    [
        ("call", lambda n: n > 0),
        ("even call", lambda n: n % 2 == 0),
        ("archive", lambda n: n <= 1_500),
        ("call arch", lambda n: n <= 1_500),
        ("budget", lambda n: n % 3 == 0 and n > 5_000),
        ("7", lambda n: str(n).startswith("7")),
        ("call nothing", lambda n: n > MANY),
    ],
)
def test_pages_have_every_match_once_newest_first_however_many_there_are(
    many: Database, sought: str, expected: Callable[[int], bool]
) -> None:
    numbers, before = list[int](), None
    with many.read() as db:
        while page := search.matching(db, USER, sought, limit=400, before=before):
            numbers += [int((recording.title or "").split()[1]) for recording in page]
            before = page[-1].ready_at, page[-1].id

    assert numbers == [n for n in range(MANY, 0, -1) if expected(n)]
