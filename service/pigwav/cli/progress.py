"""Progress of transfers on standard error, shown only if it is a terminal."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars
from rich.table import Column

from pigwav.cli.display import printable
from pigwav.client import Progress

_DRAWN_EVERY_S: Final = 0.1


class Transfers:
    """One line for each running transfer and, if there are several, one line for their total.

    Used on one thread, which also prints: rich leaves lines on the screen if another thread draws meanwhile
    (https://github.com/Textualize/rich/issues/1530).
    """

    def __init__(self, bars: Bars, count: int, total_bytes: int | None) -> None:
        self._bars = bars
        self._count = count
        self._finished = 0
        self._finished_bytes = 0
        self._under_way: dict[TaskID, int] = {}
        self._draw_at_s = 0.0
        self._all = bars.add_task(self._label(), total=total_bytes, visible=count > 1)

    @contextmanager
    def following(self, name: str) -> Iterator[Progress]:
        """The callback to report this transfer's progress to. The line is removed at the end of the block."""
        task = self._bars.add_task(printable(name), total=None)
        self._under_way[task] = 0

        def moved(done_bytes: int, total_bytes: int | None) -> None:
            self._under_way[task] = done_bytes
            self._bars.update(task, completed=done_bytes, total=total_bytes)
            self._show_all()

        finished = 1
        try:
            yield moved
        except (asyncio.CancelledError, KeyboardInterrupt):
            finished = 0
            raise
        finally:
            self._bars.remove_task(task)
            self._finished += finished
            self._finished_bytes += self._under_way.pop(task)
            self._bars.update(self._all, description=self._label())
            self._draw_at_s = 0.0
            self._show_all()

    def _show_all(self) -> None:
        self._bars.update(self._all, completed=self._finished_bytes + sum(self._under_way.values()))
        if time.monotonic() >= self._draw_at_s:
            self._bars.refresh()
            self._draw_at_s = time.monotonic() + _DRAWN_EVERY_S

    @asynccontextmanager
    async def kept_drawn(self) -> AsyncIterator[None]:
        """Within the block, the lines are also drawn while no transfer moves."""
        drawing = asyncio.create_task(self._keep_drawn())
        try:
            yield
        finally:
            drawing.cancel()

    async def _keep_drawn(self) -> None:
        while True:
            self._bars.refresh()
            await asyncio.sleep(_DRAWN_EVERY_S)

    def _label(self) -> str:
        return f"{self._finished} of {self._count}"


@contextmanager
def transfers(count: int, total_bytes: int | None = None, *, quiet: bool = False) -> Iterator[Transfers]:
    """`total_bytes`: the sum of all transfers, if known."""
    console = Console(stderr=True)
    shown = sys.stderr.isatty() and not console.is_dumb_terminal and not quiet
    name = Column(max_width=32, no_wrap=True, overflow="ellipsis")
    columns: tuple[ProgressColumn, ...] = (
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    # rich must not redirect standard output: it may be a file, which must receive what is printed.
    with Bars(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,
        auto_refresh=False,  # it would be another thread
        disable=not shown,
    ) as bars:
        yield Transfers(bars, count, total_bytes)
