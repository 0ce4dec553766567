"""The client by itself."""

import subprocess
import sys


def test_client_needs_nothing_of_the_server() -> None:
    program = (
        "import sys, pigwav.client\n"
        "print([name for name in ('fastapi', 'pydantic', 'boto3', 'sqlalchemy', 'lameenc', 'pigwav.errors')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
