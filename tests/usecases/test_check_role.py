"""The service warns if its database role can do more than the service's work."""

from pydantic import SecretStr

from databases import as_owner
from logged import logged
from pigwav.settings import Settings
from pigwav.store.memory import MemoryStore
from serving import served
from waiting import wait_until

EVENT = "database_role_can_do_too_much"


def test_a_service_whose_role_is_a_superuser_says_so_once(settings: Settings) -> None:
    url = SecretStr(as_owner(settings.database.url.get_secret_value()))
    database = settings.database.model_copy(update={"url": url})
    with logged() as lines, served(settings.model_copy(update={"database": database}), store=MemoryStore()):
        wait_until(lambda: any(line["event"] == EVENT for line in lines))

    [warning] = [line for line in lines if line["event"] == EVENT]
    assert (warning["level"], warning["role"], warning["rights"]) == ("warning", "pigwav", ["is a superuser"])


def test_the_role_that_migrate_makes_is_none_of_those(settings: Settings) -> None:
    with served(settings, store=MemoryStore()) as api:
        assert api.services.check_role() is None
