"""Searches in the titles of a user with many recordings: how long each takes, and how Postgres finds the matches.

python tests/bench/search.py [RECORDINGS] [CALLS]

Prints the median time of CALLS pages of 50, the processor time of Postgres and Python for one of them, and whether the
newest titles or the index gave the page. The rows are there before the migration to 0008, so its time is that of the
index.
"""

import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from psutil import Process
from sqlalchemy import Engine, event, func, select

sys.path.insert(0, str(Path(__file__).parents[1]))
from databases import as_owner, fresh_database, run_as_owner
from pigwav.db import search
from pigwav.db.engine import open_engine
from pigwav.db.migrate import upgrade
from pigwav.db.session import Database
from pigwav.devstack import stack_for
from pigwav.domain import RecordingId, UserId
from ports import PORTS
from titled_rows import add_titled_rows

PAGE_ROWS: Final = 50
TIMEOUT_S: Final = 10
USER: Final = UserId(1)
_TITLE: Final = """
    concat_ws(' ',
      CASE WHEN n % 2 = 0 THEN 'Call' ELSE 'Запись' END,
      CASE WHEN n % 12 = 0 THEN 'Standup' END,
      CASE WHEN n % 50 = 0 THEN 'Planning' END,
      CASE WHEN n % 200 = 0 THEN 'Budget' END,
      CASE WHEN n % 1000 = 0 THEN 'Retrospective' END,
      CASE WHEN n <= {count} / 20 THEN 'Archive' END,
      CASE WHEN n % ({count} / 20) = 7 THEN 'Zanzibar' END,
      substr(md5(n::text), 1, 6), n || '.wav')
"""
SEARCHES: Final = {
    "every second title": "call",
    "one in 12": "Standup",
    "one in 50": "planning",
    "one in 200": "budget",
    "one in 1,000": "retrospective",
    "20 titles": "zanzibar",
    "one title": "{count}",
    "none": "timbuktu",
    "none, of a frequent word": "call timbuktu",
    "the oldest 5%": "archive",
    "prefix, every second": "за",
    "prefix, one in 1,000": "retro",
    "prefix, one in 256": "ab",
    "two words, one in 12": "call standup",
    "two words, one in 600": "standup planning",
}


def main(count: int = 1_000_000, calls: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder, stack_for(Path(folder) / "data", ports=PORTS) as stack:
        url = fresh_database(stack.database_url, revision="0007")
        add_titled_rows(url, "bench", count=count, title=_TITLE.format(count=count))
        began_s = time.perf_counter()
        upgrade(as_owner(url))
        print(f"migration of {count:,} recordings: {time.perf_counter() - began_s:.1f} s")
        run_as_owner(url, "VACUUM ANALYZE recordings")
        engine = open_engine(url, timeout_s=TIMEOUT_S)
        middle = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=count // 2)
        for before in (None, (middle, RecordingId(UUID(int=0)))):
            for name, words in SEARCHES.items():
                _measure(engine, name, words.format(count=count), before, calls)


def _measure(engine: Engine, name: str, words: str, before: Any, calls: int) -> None:
    statements, times_s, found = list[tuple[str, Any]](), [], 0

    def note(_connection: object, _cursor: object, sql: str, parameters: object, *_more: object) -> None:
        statements.append((sql, parameters))

    with Database(engine).read() as db:
        processes = Process(), Process(db.execute(select(func.pg_backend_pid())).scalar_one())
        used_s = sum(map(_cpu_s, processes))
        event.listen(engine, "before_cursor_execute", note)
        for _ in range(calls):
            began_s = time.perf_counter()
            found = len(search.matching(db, USER, words, limit=PAGE_ROWS + 1, before=before))
            times_s.append(time.perf_counter() - began_s)
        event.remove(engine, "before_cursor_execute", note)
        cpu_ms = (sum(map(_cpu_s, processes)) - used_s) / calls * 1000
    page = "first page" if before is None else "from the middle"
    times = f"{statistics.median(times_s) * 1000:6.1f} ms  CPU {cpu_ms:6.1f} ms"
    print(f"{page:15}  {name:24}  {found:2} rows  {times}  {_plan(engine, *statements[-1])}", flush=True)


def _cpu_s(process: Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _plan(engine: Engine, sql: str, parameters: Any) -> str:
    """How the last statement finds its rows."""
    with engine.connect() as connection:
        plan = "\n".join(
            connection.exec_driver_sql("EXPLAIN " + sql.rpartition(";")[2], parameters).scalars()
        )
    return "index" if "recordings_title_words_idx" in plan else "newest titles"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
