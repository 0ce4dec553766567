"""The page as the service serves it: to browsers only, under its policy, with nothing of a title as markup."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest

import pigwav
from accounts import Account, register
from pigwav.api.openapi import leaves
from pigwav.audio.foreign_formats import Found
from pigwav.domain import WarningCode
from pigwav.settings import Page, Settings
from serving import served

PAGE = Path(pigwav.__file__).parent / "page"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"}
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; media-src 'self' blob:; img-src 'self'; worker-src 'self'; "
    "manifest-src 'self'"
)
NOBODY = "00000000-0000-4000-8000-000000000000"


class Document(HTMLParser):
    """The elements of an HTML page, and its text by element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        tag = self.elements[-1][0] if self.elements else ""
        self.texts[tag] = self.texts.get(tag, "") + data.strip()

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def meta(self) -> dict[str, str]:
        """The content of each meta element by its name or property."""
        return {
            one.get("name") or one["property"]: one["content"] for one in self.all("meta") if "content" in one
        }


def assert_no_route(answer: httpx2.Response) -> None:
    """The answer to a path that does not exist."""
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not-found"


@contextmanager
def service(settings: Settings, **changed: object) -> Iterator[httpx2.Client]:
    http = settings.http.model_copy(update=changed.pop("http", {}))
    with (
        served(settings.model_copy(update={"http": http, **changed})) as api,
        httpx2.Client(base_url=api.url) as client,
    ):
        yield client


def listening_page(account: Account, recording: dict, **query: object) -> httpx2.Response:
    return account.http.get("/listen", params={"id": recording["id"], "user": account.id} | query)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_gets_the_page(http: httpx2.Client, method: str) -> None:
    answer = http.request(method, "/", headers=BROWSER)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["permissions-policy"] == "microphone=(self), camera=(), geolocation=()"
    assert answer.headers["vary"] == "Accept"
    assert ("<main>" in answer.text) == (method == "GET")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0, */*", "text/*", ""])
def test_a_program_gets_the_same_answer_as_before(http: httpx2.Client, accept: str) -> None:
    assert_no_route(http.get("/", headers={"Accept": accept}))


def test_only_reading_is_a_matter_for_the_page(http: httpx2.Client) -> None:
    assert_no_route(http.post("/", headers=BROWSER))


@pytest.mark.parametrize("accept", ["TEXT/HTML", "application/json, text/html;level=1;q=0.1"])
def test_html_is_named_in_any_form(http: httpx2.Client, accept: str) -> None:
    assert http.get("/", headers={"Accept": accept}).status_code == 200


def test_every_file_is_served_under_the_pages_policy_and_kept_until_it_changes(http: httpx2.Client) -> None:
    types = {
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
    }
    paths = [path for path in PAGE.rglob("*.*") if path.suffix != ".html"]
    assert len(paths) > 20
    for path in paths:
        url = f"/page/{path.relative_to(PAGE)}"
        answer = http.get(url)
        again = http.get(url, headers={"If-None-Match": answer.headers["etag"]})

        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"] == types[path.suffix]
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-cache"
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["listen.html", "index.html", "js/", "js/none.js", "../routes.py", "%2e%2e/api/app.py"]
)
def test_nothing_else_is_served(http: httpx2.Client, path: str) -> None:
    assert_no_route(http.get(f"/page/{path}"))


def imported(module: Path, found: set[Path] | None = None) -> set[Path]:
    """The module and all that it imports, without those that are imported later by `import()`."""
    found = set() if found is None else found
    if module not in found:
        found.add(module)
        for name in re.findall(r"^import (?:[^;']*? from )?'(\.[^']+)';$", module.read_text(), re.MULTILINE):
            imported((module.parent / name).resolve(), found)
    return found


def test_the_page_is_light_and_loads_in_one_round(http: httpx2.Client) -> None:
    """One round: the HTML names every module, so that the browser need not read one to find the next."""
    body = http.get("/", headers=BROWSER).content
    index = Document(body.decode())
    named = [one["href"] for one in index.all("link")] + [one["src"] for one in index.all("script")]
    modules = {path for path in named if path.endswith(".js")}
    bodies = [body, *(http.get(path).content for path in named)]

    assert modules == {f"/page/{path.relative_to(PAGE)}" for path in imported(PAGE / "js" / "app.js")}
    assert sum(map(len, bodies)) <= 100_000


def test_every_text_is_there_in_both_languages() -> None:
    """Names of formats that are the same in both languages are only in English."""
    keys = {
        language: {
            key
            for path in (PAGE / "i18n").glob(f"*{language}.js")
            for key in re.findall(r"'([a-z0-9.-]+)':\s*['\"]", path.read_text())
        }
        for language in ("en", "ru")
    }
    code = "".join(path.read_text() for path in (PAGE / "js").glob("*.js"))
    html = "".join(path.read_text() for path in PAGE.glob("*.html"))
    used = {*re.findall(r"\bt\('([a-z0-9.-]+)'", code), *re.findall(r'data-text="([^"]+)"', html)}

    assert {key for key in keys["en"] ^ keys["ru"] if not key.startswith("format.")} == set()
    assert used - keys["en"] == set()
    assert len(used) > 50


def test_sentences_are_for_codes_that_the_service_has() -> None:
    english = (PAGE / "i18n" / "en.js").read_text()
    formats = re.findall(r"'([a-z0-9]+)'\],", (PAGE / "js" / "file-check.js").read_text())

    def codes(kind: str) -> set[str]:
        return set(re.findall(rf"'{kind}\.([a-z0-9-]+)'", english))

    of_the_page = {
        "unknown",
        "offline",
        "connection-lost",
        "file-unreadable",
        "other-format",
        "internal-error",
    }
    assert codes("error") - of_the_page <= {kind.code for kind in leaves()}
    assert codes("warning") <= {*WarningCode}
    assert codes("format") <= {*Found}
    assert len(formats) > 20
    assert set(formats) <= codes("format")


def test_a_path_prefix_is_before_every_address(settings: Settings) -> None:
    with service(settings, http={"root_path": "/voice"}) as http:
        for path in ("/voice/", "/voice", "/"):  # people leave out the slash; a proxy removes the prefix
            index = Document(http.get(path, headers=BROWSER).text)
            addresses = [one["href"] for one in index.all("link")] + [
                one["src"] for one in index.all("script")
            ]
            assert len(addresses) > 20
            assert all(one.startswith("/voice/page/") for one in addresses)
            assert [http.get(one).status_code for one in addresses] == [200] * len(addresses)
        account = register(http, "prefixed")
        recording = account.recording()
        page = Document(http.get("/voice/listen", params=_query(recording)).text)

    assert page.meta["og:url"].startswith(f"{http.base_url}/voice/listen?id=")
    assert page.meta["og:url"] == recording["page_url"]
    assert page.meta["og:image"].startswith(f"{http.base_url}/voice/listen/card.png?id=")
    assert page.all("audio")[0]["src"].startswith("/voice/record/")


def _query(recording: dict) -> dict[str, object]:
    return {"id": recording["id"], "user": recording["user"]}


def test_a_recordings_page_plays_without_javascript_and_describes_itself(account: Account) -> None:
    recording = account.recording(seconds=65, title="Утренняя планёрка")
    day = recording["created_at"][:10]

    answer = listening_page(account, recording)
    page = Document(answer.text)

    path = f"/record/{recording['id']}.mp3?user={account.id}"
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-cache"
    assert page.texts["title"] == "Утренняя планёрка – PigWav"
    assert page.all("audio") == [{"controls": "", "preload": "none", "src": path}]
    assert page.all("a")[-1]["href"] == path
    assert account.http.get(path).headers["content-type"] == "audio/mpeg"
    assert page.meta | {"viewport": "", "color-scheme": ""} == {
        "viewport": "",
        "color-scheme": "",
        "robots": "noindex",
        "description": f"1:05 · {day}",
        "og:site_name": "PigWav",
        "og:type": "music.song",
        "og:title": "Утренняя планёрка",
        "og:description": f"1:05 · {day}",
        "og:url": f"{account.http.base_url}/listen?id={recording['id']}&user={account.id}",
        "og:image": f"{account.http.base_url}/listen/card.png?id={recording['id']}&user={account.id}",
        "og:image:type": "image/png",
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": "The recording's waveform",
        "og:audio": f"{account.http.base_url}{path}",
        "og:audio:type": "audio/mpeg",
        "music:duration": "65",
        "twitter:card": "summary_large_image",
        "twitter:title": "Утренняя планёрка",
        "twitter:description": f"1:05 · {day}",
        "twitter:image": page.meta["og:image"],
        "twitter:image:alt": "The recording's waveform",
    }


def test_it_needs_no_accept_and_answers_head(account: Account) -> None:
    recording = account.recording()

    assert account.http.head("/listen", params=_query(recording)).status_code == 200
    assert account.http.get("/listen", params=_query(recording), headers={"Accept": "*/*"}).status_code == 200


def test_a_recording_without_a_title_has_a_page_with_one(account: Account) -> None:
    page = Document(listening_page(account, account.recording()).text)

    assert page.texts["h1"] == page.meta["og:title"] == "Recording"
    assert json.loads(page.all("main")[0]["data-recording"])["title"] is None


@pytest.mark.parametrize(
    "title",
    [
        '"><script>alert(1)</script>',
        "</title></h1><img src=x onerror=alert(1)>",
        "' onload='alert(1)",
        "$root ${title} $$ {{title}} %s",
        "&lt;b&gt; &quot; \\u003cscript>",
        "עברית \u202e <b>",
    ],
)
def test_a_title_is_text_everywhere(account: Account, title: str) -> None:
    recording = account.recording(title=title)

    page = Document(listening_page(account, recording).text)
    harmless = Document(listening_page(account, account.recording(title="harmless")).text)

    kept = recording["title"]
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    assert [set(attributes) for _, attributes in page.elements] == [set(one) for _, one in harmless.elements]
    assert page.texts["h1"] == kept
    assert page.texts["title"] == f"{kept} – PigWav"
    assert page.meta["og:title"] == page.meta["twitter:title"] == kept
    assert json.loads(page.all("main")[0]["data-recording"])["title"] == kept


@pytest.mark.parametrize(
    ("begin", "fragment"),
    [
        ("61.5", "#t=61.5"),
        ("7", "#t=7"),
        ("", ""),
        ("-1", ""),
        ("1e3", ""),
        ("x", ""),
        ('1"><b>', ""),
        ("9" * 20, ""),
    ],
)
def test_a_page_begins_where_its_address_says(account: Account, begin: str, fragment: str) -> None:
    page = Document(listening_page(account, account.recording(), t=begin).text)

    assert page.all("audio")[0]["src"].partition("?user=")[2] == f"{account.id}{fragment}"


def test_a_dead_link_has_a_page_for_people_which_reveals_nothing(
    account: Account, other_user: Account
) -> None:
    recording, deleted = account.recording(), account.recording()
    account.http.delete(f"/records/{deleted['id']}", headers=account.bearer)
    dead = [
        {"id": deleted["id"], "user": account.id},
        {"id": recording["id"], "user": other_user.id},
        {"id": NOBODY, "user": account.id},
        {"id": "x", "user": account.id},
        {"id": recording["id"], "user": "-1"},
        {"id": recording["id"], "user": "9" * 5000},
        {},
    ]
    answers = [account.http.get("/listen", params=query) for query in dead]

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.headers["content-type"] for answer in answers} == {"text/html; charset=utf-8"}
    assert {answer.headers["content-security-policy"] for answer in answers} == {POLICY}
    [body] = {answer.text for answer in answers}
    assert Document(body).texts["h1"] == "This recording does not exist"
    assert Document(body).meta["robots"] == "noindex"


def test_links_to_the_page_begin_with_the_public_address(settings: Settings) -> None:
    with service(settings, http={"public_url": "https://voice.example.org"}) as http:
        account = register(http, "public")
        recording = account.recording()
        page = Document(http.get("/listen", params=_query(recording)).text)

    assert page.meta["og:url"].startswith("https://voice.example.org/listen?id=")
    assert page.meta["og:url"] == recording["page_url"]
    assert page.meta["og:audio"].startswith("https://voice.example.org/record/")
    assert page.meta["og:image"].startswith("https://voice.example.org/listen/card.png?id=")
    assert page.all("audio")[0]["src"].startswith("/record/")  # of the origin at which the page was opened


def test_the_page_can_be_switched_off(settings: Settings) -> None:
    with service(settings, page=Page.OFF) as http:
        account = register(http, "without a page")
        recording = account.recording()
        query = f"id={recording['id']}&user={account.id}"
        for path in ("/", "/page/js/app.js", f"/listen?{query}", f"/listen/card.png?{query}"):
            assert_no_route(http.get(path, headers=BROWSER))
        assert recording["page_url"] is None
        assert http.get(recording["url"]).status_code == 200
        assert http.get("/docs").status_code == 200


@pytest.mark.parametrize("registration", ["open", "closed"])
def test_the_limits_are_known_before_an_upload(settings: Settings, registration: str) -> None:
    limits = settings.limits.model_copy(update={"max_upload_bytes": 70_000, "max_duration_s": 3})
    with service(settings, limits=limits, registration=registration) as http:
        answer = http.get("/limits")

    assert answer.json() == {"max_upload_bytes": 70_000, "max_duration_s": 3, "registration": registration}
