"""What a database role may do that the service does not need."""

from typing import Final

from sqlalchemy import Connection, text

_EXCESS: Final = text("""
    SELECT CASE WHEN rolsuper THEN ARRAY['is a superuser'] ELSE array_remove(ARRAY[
        CASE WHEN rolcreaterole THEN 'may create roles' END,
        CASE WHEN rolcreatedb THEN 'may create databases' END,
        CASE WHEN rolreplication THEN 'may replicate' END,
        CASE WHEN rolbypassrls THEN 'bypasses row security' END,
        CASE WHEN pg_has_role(r.oid, datdba, 'MEMBER') THEN 'owns the database' END,
        CASE WHEN pg_has_role(r.oid, nspowner, 'MEMBER') THEN 'owns the schema' END,
        CASE WHEN pg_has_role(r.oid, relowner, 'MEMBER') THEN 'owns the tables' END
    ], NULL) END
    FROM pg_roles r
    JOIN pg_database d ON d.datname = current_database()
    LEFT JOIN pg_class c ON c.oid = to_regclass('users')
    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE rolname = :role
""")
"""`MEMBER`: the role owns it, or may become its owner by SET ROLE."""


def current_role(connection: Connection) -> str:
    """The role that has logged in. It is not the one in the URL if a pooler translates names."""
    return str(connection.scalar(text("SELECT session_user")))


def excess(connection: Connection, role: str) -> list[str]:
    """What the role may do or owns beyond the service's work, as predicates: `is a superuser`, `owns the tables`. Empty
    also if there is no such role.
    """
    return connection.scalar(_EXCESS, {"role": role}) or []
