"""The components of the operator's account commands. Unlike `wiring`, they do not load the store and the decoder."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from pigwav.db.session import Database
from pigwav.executors import BoundedExecutor
from pigwav.settings import DatabaseSettings
from pigwav.usecases.delete_user import DeleteUser
from pigwav.usecases.list_users import ListUsers
from pigwav.usecases.register_user import RegisterUser
from pigwav.usecases.rotate_token import RotateToken


@dataclass(frozen=True)
class Accounts:
    """The use-cases that need only the database."""

    register_user: RegisterUser
    rotate_token: RotateToken
    delete_user: DeleteUser
    list_users: ListUsers


@contextmanager
def open_accounts(settings: DatabaseSettings) -> Iterator[Accounts]:
    """Opens the use-cases without an object store. Raises NotConfigured."""
    with closing(Database.open(settings)) as database, closing(BoundedExecutor("db", width=1)) as db:
        yield Accounts(
            RegisterUser(database, db),
            RotateToken(database, db),
            DeleteUser(database, db),
            ListUsers(database),
        )
