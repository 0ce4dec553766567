"""Which listener accepted a request: the public one or the one for operators (`PIGWAV_OPERATOR_BIND`).

The connection knows it. Nothing in a request can change that, neither a proxy's header nor the host that it names.
"""

from collections.abc import Mapping
from typing import Any, Final

from uvicorn.server import ServerState

OPERATOR_CONNECTIONS: Final = 100
"""Maximum of open connections to the operator listener, per process. `max_connections` does not count them."""

OPERATOR_STATE: Final = {"pigwav.operator_listener": True}
"""In the scope's `state` of every request that came through the operator listener."""


def is_for_operators(scope: Mapping[str, Any]) -> bool:
    """Whether the request came through the operator listener."""
    return OPERATOR_STATE.keys() <= (scope.get("state") or {}).keys()


class OperatorServerState(ServerState):
    """uvicorn's state of the operator listener. Its connections are counted apart from the public ones; its requests
    are awaited and cancelled with theirs.
    """

    def __init__(self, public: ServerState) -> None:
        super().__init__()
        self.tasks = public.tasks
