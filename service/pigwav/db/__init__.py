"""Tables and queries in Postgres. Queries are functions that take a Session; they never commit."""
