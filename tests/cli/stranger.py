"""A stranger's machine: `runsheet demo` in an empty environment, what it prints, and a person at its pages."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import requests

from tests.jobs.processes import ROOT, children, eventually, is_alive

#: What the supervisor calls its children, and how their command lines are known.
CHILDREN = {
    "web": "app.cli\0web",
    "worker 1": "app.cli\0worker",
    "worker 2": "app.cli\0worker",
    "scheduler": "app.cli\0scheduler",
    "simulator": "app.sandbox",
    "redis": "app.cli\0redis",
}
#: Rows of the sheet.
ROW = re.compile(r'<tr id="r-([0-9a-f-]{36})"')


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, port: int) -> dict[str, str]:
    """As empty as `env -i` makes it; a proxy that would swallow what we say to ourselves must not matter."""
    ours = {"PATH": os.environ["PATH"], "HOME": str(home.parent), "http_proxy": "http://127.0.0.1:9/"}
    return ours | {"RUNSHEET_HOME": str(home), "PORT": str(port)}


class Demo:
    """A running demo, what it said, and the data it keeps."""

    def __init__(self, popen: subprocess.Popen[bytes], home: Path, said: Path) -> None:
        self.popen = popen
        self.home = home
        self._said = said

    @property
    def said(self) -> str:
        return self._said.read_text()

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            assert self.popen.poll() is None, self.said
            return "Ctrl-C stops everything." in self.said

        eventually(is_ready, "the demo is ready", 90)

    @property
    def address(self) -> str:
        """The one address of ours that is printed."""
        (found,) = re.findall(r"Runsheet is ready: +(http://\S+)", self.said)
        return str(found)

    @property
    def control(self) -> str:
        (found,) = re.findall(r"in the simulated Gentu: +(http://\S+)", self.said)
        return str(found)

    @property
    def log_ins(self) -> dict[str, str]:
        """E-mail -> password, as printed."""
        return dict(re.findall(r"\|\s+(\S+@demo\.example) +(\S+)", self.said))

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.home}/runsheet.db?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    def ids(self) -> list[Any]:
        return self.rows("SELECT p.id, c.id, c.tenant_id FROM practices p JOIN pms_connections c")

    def child(self, name: str) -> int:
        """The process id of a child that runs now."""
        return next(pid for pid in children(self.popen.pid) if CHILDREN[name] in _read(pid, "cmdline"))

    def end(self, number: int = signal.SIGINT) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(60)


def of_home(home: Path) -> list[int]:
    """Every process that has to do with this home folder, whoever its parent is by now."""
    found = [int(one.name) for one in Path("/proc").glob("[0-9]*")]
    return [pid for pid in found if is_alive(pid) and str(home) in _read(pid, "environ") + _read(pid, "cmdline")]


def _read(pid: int, name: str) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    return ""


@contextmanager
def demo(home: Path, port: int, said: Path) -> Iterator[Demo]:
    """Started as `make run` starts it; killed with all it left when the test ends."""
    with said.open("a") as out:
        popen = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "demo"],
            cwd=ROOT,
            env=environment(home, port),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield Demo(popen, home, said)
    finally:
        popen.kill()
        popen.wait(10)
        with suppress(AssertionError):
            eventually(lambda: not of_home(home), "everything has ended", 15)
        for pid in of_home(home):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


def refused(home: Path, port: int) -> str:
    """What a demo that may not start says: one line."""
    words = [sys.executable, "-m", "app.cli", "demo"]
    ended = subprocess.run(
        words, cwd=ROOT, env=environment(home, port), capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (4, "", 1)
    return ended.stderr


def status_of(board: str, id_: UUID) -> str:
    """The status a row shows; nothing where the board has no such row."""
    row = board.partition(f'<tr id="r-{id_}"')[2].partition("</tr>")[0]
    return row.partition('<td class="st">')[2].partition("</svg>")[2].partition("<")[0].strip()


class Desk:
    """A person at the pages, over HTTP as a browser would."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, path: str, **headers: str) -> requests.Response:
        return self._session.get(self._address + path, headers=headers, timeout=30)

    def submits(self, page: str, action: str, **typed: str) -> str:
        """Fill in the page's form whose address ends so; the page that comes of it."""
        answer = self._submitted(page, action, typed)
        assert answer.ok, answer.status_code
        return answer.text

    def tries(self, email: str, password: str) -> requests.Response:
        return self._submitted(self.get("/login").text, "/login", {"email": email, "password": password})

    def sign_in(self, email: str, password: str) -> str:
        """The first page after it."""
        answer = self.tries(email, password)
        assert answer.ok, answer.status_code
        assert answer.url == f"{self._address}/run-sheet"
        return answer.text

    def _submitted(self, page: str, action: str, typed: dict[str, str]) -> requests.Response:
        (address,) = {one for one in re.findall(r'action="([^"]+)"', page) if one.endswith(action)}
        token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
        return self._session.post(
            self._address + unescape(address),
            data={"csrf_token": token, **typed},
            headers={"Origin": self._address},
            timeout=30,
        )

    def poll(self, board: str) -> str | None:
        """The block as htmx asks for it; None while nothing has changed (204)."""
        (address,) = re.findall(r'id="board" hx-get="([^"]+)"', board)
        answer = self.get(unescape(address), **{"HX-Request": "true"})
        assert answer.status_code in (200, 204)
        return answer.text if answer.status_code == 200 else None

    def waits_for(self, board: str, true: Any, what: str, within_s: float) -> str:
        """Poll, as the page does by itself, until the board is so; returns that board."""
        seen = [board]

        def moved() -> bool:
            with suppress(requests.ConnectionError):  # the pages may just be starting again
                seen.append(self.poll(seen[-1]) or seen[-1])
            return bool(true(seen[-1]))

        eventually(moved, what, within_s)
        return seen[-1]

    def answers(self) -> bool:
        with suppress(requests.RequestException):
            return self.get("/login").ok
        return False
