"""Checks whether the service's database role can do more than the service's work."""

from dataclasses import dataclass

from pigwav.db.role import current_role, excess
from pigwav.db.session import Database


@dataclass(frozen=True)
class ExcessRights:
    """`rights`: predicates, such as `is a superuser`."""

    role: str
    rights: list[str]


@dataclass(frozen=True)
class CheckRole:
    """Blocking."""

    database: Database

    def __call__(self) -> ExcessRights | None:
        """None if the role is an ordinary one. Raises DatabaseUnavailable."""
        with self.database.begin() as db:
            connection = db.connection()
            role = current_role(connection)
            rights = excess(connection, role)
        return ExcessRights(role, rights) if rights else None
