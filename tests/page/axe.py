"""axe-core, which finds faults of accessibility. `.ci/page-tools` installs it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from needs import skip_or_fail

COLOURS: Final = ("color-contrast", "link-in-text-block")
"""Those of axe's rules that depend on the colour scheme."""

if TYPE_CHECKING:
    from playwright.sync_api import Page

INSTALLED = Path(__file__).parents[2] / "build/page-tools/node_modules/axe-core/axe.min.js"


def axe_source() -> str:
    """The program, of PIGWAV_AXE or where `.ci/page-tools` puts it."""
    path = Path(os.environ.get("PIGWAV_AXE") or INSTALLED)
    return path.read_text() if path.exists() else skip_or_fail("axe", "axe-core is missing (.ci/page-tools)")


def faults(page: Page, axe: str, *rules: str) -> list[str]:
    """Each violation of a rule of axe, best practices included, with the elements that it is about.

    `rules`: only these, if any are given.
    """
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(axe)  # the page's policy forbids to add it as a <script>
    options = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    violations = page.evaluate("async options => (await axe.run(options)).violations", options)
    return [
        f"{violation['id']}: {violation['help']}: {[node['html'][:200] for node in violation['nodes']]}"
        for violation in violations
    ]
