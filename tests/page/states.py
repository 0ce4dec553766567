"""The states of the page that are looked at, and how a visitor comes to each of them."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from typing import Any, Final

from factories import wav
from page.chromium import expect
from page.recording import RecordDialog
from page.visitor import Visitor

TITLES: Final = (
    "Tuesday retrospective",
    "Интервью с Мариной",
    "מפגש שבועי",
    "A title that is much longer than any row of the list can show on one line, whatever the window's width is",
    "Field notes, river",
)
LIST: Final = "**/records?*"
WARNINGS: Final = ("truncated", "clipped", "channels-inverted")
DETAIL: Final = "What the service says about it, in one sentence of a usual length."
Json = dict[str, Any]


def signed_out(visitor: Visitor) -> None:
    visitor.page.evaluate("localStorage.clear()")
    visitor.page.reload()
    expect(visitor.page.get_by_label("Name")).to_be_visible()


def with_a_token(visitor: Visitor) -> None:
    signed_out(visitor)
    visitor.page.get_by_role("button", name="I have a user id and a token").click()
    visitor.page.get_by_label("User id").fill("1")
    visitor.page.get_by_label("Token").fill("wrong")
    visitor.page.get_by_role("button", name="Sign in").click()
    expect(visitor.page.get_by_role("alert")).not_to_be_empty()


def registration_closed(visitor: Visitor) -> None:
    _change(visitor, "**/limits", lambda limits: limits | {"registration": "closed"})
    visitor.page.evaluate("localStorage.clear()")
    visitor.page.reload()
    expect(visitor.page.get_by_text("Registration is closed here.")).to_be_visible()


def registered(visitor: Visitor) -> None:
    signed_out(visitor)
    visitor.page.get_by_label("Name").fill(f"Visitor {token_hex(4)}")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("dialog")).to_be_visible()


def account(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Anna").click()


def empty(visitor: Visitor) -> None:
    expect(visitor.page.get_by_text("No recordings yet.")).to_be_visible()


def recordings(visitor: Visitor) -> None:
    expect(visitor.page.get_by_role("article").first).to_be_visible()


def first(visitor: Visitor) -> None:
    _change(visitor, LIST, lambda page: page | {"items": page["items"][-1:]})
    visitor.page.reload()
    expect(visitor.page.get_by_role("article")).to_have_count(1)


def unusual(visitor: Visitor) -> None:
    """Five hours, a title of one word, no title, no waveform, warnings."""
    changes: list[Json] = [{}] * len(TITLES)
    changes[0] = {
        "title": "Donaudampfschifffahrtsgesellschaft" * 4,
        "duration_ms": 5 * 3_600_000,
        "peaks": None,
    }
    changes[1] = {"title": None, "warnings": [{"code": code, "detail": DETAIL} for code in WARNINGS]}
    changes[2] = {"peak_dbfs": None, "levels": None, "warnings": None}

    def change(page: Json) -> Json:
        return page | {"items": [item | more for item, more in zip(page["items"], changes, strict=True)]}

    _change(visitor, LIST, change)
    visitor.page.reload()
    expect(visitor.page.get_by_text("5:00:00")).to_be_visible()


def warnings(visitor: Visitor) -> None:
    unusual(visitor)
    menu(visitor, "Untitled")
    visitor.page.get_by_role("menuitem", name="Details").click()


def unmeasured(visitor: Visitor) -> None:
    unusual(visitor)
    menu(visitor, TITLES[2])
    visitor.page.get_by_role("menuitem", name="Details").click()


def no_list(visitor: Visitor) -> None:
    visitor.page.route(LIST, lambda route: route.abort())
    visitor.page.reload()
    expect(visitor.page.get_by_role("button", name="Try again")).to_be_visible()


def playing(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name=f"Play {TITLES[1]}").click()
    visitor.page.get_by_role("slider").press("End")


def menu(visitor: Visitor, title: str = TITLES[1]) -> None:
    visitor.page.get_by_role("button", name=f"More about {title}").click()


def renamed(visitor: Visitor) -> None:
    menu(visitor, TITLES[3])
    visitor.page.get_by_role("menuitem", name="Rename").click()


def details(visitor: Visitor) -> None:
    menu(visitor)
    visitor.page.get_by_role("menuitem", name="Details").click()


def deleted(visitor: Visitor) -> None:
    assert visitor.account
    visitor.account.recording(title="Draft")
    visitor.page.reload()
    menu(visitor, "Draft")
    visitor.page.get_by_role("menuitem", name="Delete").click()


def offline(visitor: Visitor) -> None:
    visitor.page.context.set_offline(True)
    _choose(visitor, wav())
    expect(visitor.page.get_by_text("The page tries again by itself.")).to_be_visible()


def dropping(visitor: Visitor) -> None:
    files = visitor.page.evaluate_handle(
        "() => { const data = new DataTransfer(); data.items.add(new File(['a'], 'a.wav')); return data; }"
    )
    visitor.page.dispatch_event("main", "dragover", {"dataTransfer": files})


def refused(visitor: Visitor) -> None:
    _choose(visitor, b"ID3 and no WAV")
    expect(visitor.page.get_by_role("alert")).to_be_visible()


def slow(visitor: Visitor) -> None:
    conditions = {"offline": False, "latency": 200, "downloadThroughput": 10**6, "uploadThroughput": 100_000}
    visitor.page.context.new_cdp_session(visitor.page).send("Network.emulateNetworkConditions", conditions)
    _choose(visitor, wav(seconds=60))
    expect(visitor.page.get_by_text("left")).to_be_visible()


def ready_to_record(visitor: Visitor) -> None:
    RecordDialog(visitor.page).open()


def recording(visitor: Visitor) -> None:
    RecordDialog(visitor.page).record(seconds=3)


def review(visitor: Visitor) -> None:
    recording(visitor)
    RecordDialog(visitor.page).stop()


def not_sent(visitor: Visitor) -> None:
    review(visitor)
    visitor.page.keyboard.press("Escape")


def listening(visitor: Visitor) -> None:
    visitor.page.get_by_role("link", name=TITLES[1]).click()
    expect(visitor.page.get_by_role("slider")).to_be_visible()


def long_title(visitor: Visitor) -> None:
    visitor.page.get_by_role("link", name=TITLES[3]).click()
    expect(visitor.page.get_by_role("slider")).to_be_visible()


def missing(visitor: Visitor) -> None:
    visitor.visit("listen?id=none&user=1")


State = Callable[[Visitor], None]
STATES: Final[tuple[State, ...]] = (
    signed_out,
    with_a_token,
    registration_closed,
    registered,
    account,
    first,
    recordings,
    unusual,
    warnings,
    unmeasured,
    no_list,
    renamed,
    dropping,
    playing,
    menu,
    details,
    deleted,
    offline,
    refused,
    slow,
    ready_to_record,
    recording,
    review,
    not_sent,
    listening,
    long_title,
    missing,
)


def _change(visitor: Visitor, pattern: str, change: Callable[[Json], Json]) -> None:
    """Answers of the service are changed on their way to the page."""
    visitor.page.route(pattern, lambda route: route.fulfill(json=change(route.fetch().json())))


def _choose(visitor: Visitor, body: bytes) -> None:
    file = {"name": "Interview.wav", "mimeType": "audio/wav", "buffer": body}
    visitor.page.locator("input[type=file]").set_input_files([file])
