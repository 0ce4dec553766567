"""The ASGI application as an object."""

import gc
import weakref
from contextlib import nullcontext

from pigwav.api.app import create_app
from pigwav.settings import Settings
from pigwav.wiring import open_services


def test_an_app_that_nobody_uses_is_freed(settings: Settings) -> None:
    """FastAPI caches the functions of routes for ever: none of them may refer to its app."""
    with open_services(settings) as services:
        app = weakref.ref(create_app(services, background=nullcontext()))
        gc.collect()

        assert app() is None
