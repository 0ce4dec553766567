"""`search_words`, for searches in titles. Its index is made afterwards (`concurrent_indexes.py`)."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# - It removes accents, joiners and variation selectors. An ASCII title has none, which is quickly seen.
# - A word in a tsvector has at most 2,046 bytes.
# - A function in SQL is inlined and loses its COST; Postgres would then prefer reading all titles to the index.
# - It is not PARALLEL SAFE: the start of workers takes longer than a search.
_SEARCH_WORDS = r"""
CREATE FUNCTION search_words(user_id bigint, title text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT COST 1000 AS $$
DECLARE
  words text := title;
BEGIN
  IF octet_length(words) <> char_length(words) THEN
    words := regexp_replace(normalize(words, NFKD), '[\u0300-\u036f\u200c-\u200f\ufe00-\ufe0f]', '', 'g');
  END IF;
  words := left(lower(upper(words COLLATE {collation})), 500);
  words := rtrim(regexp_replace(' ' || words, '[[:space:][:punct:][:cntrl:]]+', ' ', 'g'));
  RETURN string_to_array(ltrim(replace(words, ' ', ' ' || user_id || ':')), ' ');
END
$$
"""


def upgrade() -> None:
    op.execute(_SEARCH_WORDS.replace("{collation}", _collation()))


def downgrade() -> None:
    op.execute("DROP INDEX IF EXISTS recordings_title_words_idx")
    op.execute("DROP FUNCTION search_words")


def _collation() -> str:
    """One that knows the cases of all alphabets, whatever the database's locale. Postgres has it from version 17."""
    known = sa.text("SELECT collname FROM pg_collation WHERE collname IN ('pg_c_utf8', 'und-x-icu')")
    found = sorted(op.get_bind().execute(known).scalars())
    return f'"{found[0] if found else "default"}"'
