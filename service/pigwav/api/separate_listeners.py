"""What each of the two listeners answers if there is one for operators."""

from starlette.types import ASGIApp, Receive, Scope, Send

from pigwav.api import routes
from pigwav.api.listeners import is_for_operators
from pigwav.api.problems import not_found


class SeparateListeners:
    """The operator listener has the paths for monitoring and no others; the public listener has all but `/metrics`.
    Answers 404 to any other path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_answered(routes.path_of(scope), scope):
            await not_found()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_answered(path: str, scope: Scope) -> bool:
    return path in routes.MONITORING if is_for_operators(scope) else path != routes.METRICS
