"""A headless Chromium, driven over the DevTools protocol."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websocket import WebSocket, create_connection

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)
START_WITHIN_S = 60
END_WITHIN_S = 10
WITH_US = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""Lets a program end with the one that started it, killed or not, where Linux's own tool for it is there."""


class Page:
    """One open page; what it says, asks for and throws is kept."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._number = 0
        self.said: list[str] = []
        """Console messages, exceptions and what the browser's log has about the page."""
        self.asked: list[str] = []
        """URLs of every request."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def open(self, path: Path, *, width: int = 1280, is_dark: bool = False, runs_scripts: bool = True) -> None:
        """Load a file at a width, and wait until it is there."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.send("Emulation.setScriptExecutionDisabled", value=not runs_scripts)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.send("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.send("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of an expression."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG."""
        answer = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def pdf(self) -> bytes:
        """The page as it prints."""
        answer = self.send("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
        return base64.b64decode(answer["data"])

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and give back its result."""
        self._number += 1
        number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = self._receive()
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])

    def wait_for(self, event: str) -> None:
        """Read messages until this event comes."""
        while self._receive().get("method") != event:
            pass

    def _receive(self) -> dict[str, Any]:
        message = json.loads(self._socket.recv())
        params = message.get("params", {})
        if message.get("method") == "Runtime.consoleAPICalled":
            self.said.append(" ".join(str(each.get("value")) for each in params["args"]))
        if message.get("method") == "Runtime.exceptionThrown":
            self.said.append(str(params["exceptionDetails"]))
        if message.get("method") == "Log.entryAdded":
            self.said.append(params["entry"]["text"])
        if message.get("method") == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        return dict(message)


@contextmanager
def chromium() -> Iterator[Page]:
    """A browser of its own with one empty page, ended afterwards."""
    assert CHROMIUM
    profile = tempfile.mkdtemp(prefix="ctiforge-chromium-")
    command = [*WITH_US, CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        address = _address(process)
        with_path = json.loads(_get(f"http://{address}/json/list"))
        page = next(each for each in with_path if each["type"] == "page")
        socket = create_connection(page["webSocketDebuggerUrl"], timeout=START_WITHIN_S)
        try:
            yield Page(socket)
        finally:
            socket.close()
    finally:
        _end(process)
        shutil.rmtree(profile, ignore_errors=True)


def _address(process: "subprocess.Popen[str]") -> str:
    """Where it listens, as it says itself."""
    assert process.stderr
    for line in process.stderr:
        found = re.search(r"DevTools listening on ws://([^/]+)/", line)
        if found:
            return found[1]
    raise AssertionError(f"Chromium ended with exit code {process.wait()} before it listened")


def _end(process: "subprocess.Popen[str]") -> None:
    """Asked first: killed, it would leave its folders behind."""
    process.terminate()
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=START_WITHIN_S) as answer:
        return bytes(answer.read())
