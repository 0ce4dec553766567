"""Registering, signing in, and being forgotten."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from accounts import Account
from page.chromium import expect, headless_shell_program
from page.conftest import NewVisitor
from page.visitor import Visitor
from pigwav.settings import Registration, Settings
from serving import served

if TYPE_CHECKING:
    from playwright.sync_api import Page

_names = (f"visitor {n}" for n in itertools.count())


@pytest.fixture(scope="module")
def browser_program() -> str:
    return headless_shell_program()


def registered(visitor: Visitor) -> str:
    """Registers a new user, up to the dialog that shows id and token. Returns the name."""
    name = next(_names)
    visitor.visit()
    visitor.page.get_by_label("Name").fill(name)
    visitor.page.get_by_role("button", name="Begin").click()
    expect(visitor.page.get_by_role("dialog", name="Keep your id and token")).to_be_visible()
    return name


def local_storage(page: Page) -> dict[str, str]:
    return page.evaluate("({...localStorage})")


def test_a_new_user_sees_id_and_token_once_and_stays_signed_in(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.page
    name = registered(visitor)
    id_, token = page.get_by_role("dialog").locator("code").all_inner_texts()
    page.get_by_role("button", name="Copy id and token").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save as a file").click()

    assert page.evaluate("navigator.clipboard.readText()") == f"User id: {id_}\nToken: {token}\n"
    assert token in saved.value.path().read_text()
    page.get_by_role("button", name="I have kept them").click()
    page.reload()
    expect(page.get_by_role("button", name=name)).to_be_visible()
    assert token not in page.content()


def test_a_name_that_is_taken_is_refused_in_a_sentence(new_visitor: NewVisitor) -> None:
    name = registered(new_visitor())
    page = new_visitor().page
    page.goto(new_visitor().address)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Begin").click()

    expect(page.get_by_role("alert")).to_have_text("This name is taken. Choose another one.")


def test_who_is_forgotten_leaves_nothing_and_comes_back_with_id_and_token(
    new_visitor: NewVisitor, account: Account
) -> None:
    recording = account.recording(title="Still here")
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    expect(page.get_by_role("article", name=recording["title"])).to_be_visible()
    page.get_by_label("Speed").select_option("1.5")
    page.get_by_role("button", name="Anna").click()
    page.get_by_role("button", name="Forget me").click()

    expect(page.get_by_label("Name")).to_be_visible()
    assert local_storage(page) == {}
    page.get_by_role("button", name="I have a user id and a token").click()
    page.get_by_label("User id").fill(str(account.id))
    page.get_by_label("Token").fill(f" {account.token} ")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("article", name="Still here")).to_be_visible()


@pytest.mark.parametrize("wrong", ["id", "token"])
def test_an_id_and_a_token_that_do_not_match_are_refused(
    new_visitor: NewVisitor, account: Account, wrong: str
) -> None:
    visitor = new_visitor()
    visitor.visit()
    page = visitor.page
    page.get_by_role("button", name="I have a user id and a token").click()
    page.get_by_label("User id").fill(str(account.id + (wrong == "id")))
    page.get_by_label("Token").fill("x" if wrong == "token" else account.token)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_have_text("The user id and the token do not match. Sign in again.")
    assert local_storage(page) == {}


def test_a_service_whose_registration_is_closed_says_so(new_visitor: NewVisitor, settings: Settings) -> None:
    with served(settings.model_copy(update={"registration": Registration.CLOSED})) as api:
        visitor = new_visitor(f"{api.url}/")
        visitor.visit()

        expect(visitor.page.get_by_text("Registration is closed here.")).to_be_visible()
        expect(visitor.page.get_by_label("User id")).to_be_visible()
        expect(visitor.page.get_by_label("Name")).to_have_count(0)


def test_everything_is_in_russian_for_a_russian_reader(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(locale="ru-RU")
    visitor.visit()

    expect(visitor.page.get_by_role("heading", name="Добро пожаловать")).to_be_visible()
    assert visitor.page.locator("html").get_attribute("lang") == "ru"
