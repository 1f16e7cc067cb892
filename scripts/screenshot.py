"""Take the README's picture of the run sheet: the demo on a free port, in a folder of its own, at 09:38 of one morning.

The demo's day follows from its date, so that the same moment gives the same picture. Every process of it gets that
moment through a `sitecustomize` of this run's own; the application knows nothing of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "run-sheet.png"
MOMENT = datetime(2026, 11, 9, 9, 38, 20, tzinfo=ZoneInfo("Australia/Melbourne"))
WIDTH, HEIGHT = 1280, 840
MOST_BYTES = 400_000
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_S = 120
_CLOCK = """
import time, time_machine
time_machine.travel({moment} + time.time() - {began}, tick=True).start()
"""


def main() -> int:
    browser = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if browser is None:
        print("No Chromium found: install it with your package manager.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="rsp-") as folder, demo(Path(folder)) as ready:
        reception = next(one for one in ready["logIns"] if one["role"] == "receptionist")
        take(browser, ready["url"], reception["email"], reception["password"])
    size = PICTURE.stat().st_size
    print(f"{PICTURE.relative_to(ROOT)}: {size // 1000} kB")
    return 0 if size <= MOST_BYTES else 1


@contextmanager
def demo(folder: Path) -> Iterator[dict[str, Any]]:
    """Everything `make run` starts; yields what it printed. Ends it, and all its processes, whatever happens."""
    (folder / "sitecustomize.py").write_text(_CLOCK.format(moment=MOMENT.timestamp(), began=time.time()))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environment = kept | {
        "RUNSHEET_ENV": "development",
        "RUNSHEET_HOME": str(folder / "var"),
        "PORT": str(_free_port()),
        "PYTHONPATH": str(folder),
    }
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "demo", "--json"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            if not told:
                raise SystemExit((folder / "said").read_text())
            yield json.loads(told)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)  # its processes end with it: they hold a pipe to it


def take(browser: str, url: str, email: str, password: str) -> None:
    """Sign in, wait until the first sync has come to the page, and take the picture."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"]) as chromium,
    ):
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.set_default_timeout(_PATIENCE_S * 1000)
        page.goto(url)
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        _settle(page)
        page.screenshot(path=PICTURE)


def _settle(page: Page) -> None:
    page.locator("tr[id^=r-]").nth(20).wait_for(state="attached")
    page.locator("[data-fresh][data-word=live]").wait_for()
    page.reload()
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(1_500)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
