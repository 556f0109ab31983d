"""Who may see the labeling page and write on it, over a real server."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ctiforge.data.labels import read_labels
from ctiforge.labels.page.app import make_app
from ctiforge.store.objects import open_store
from tests.in_process import run_here
from tests.labels import human_label

TOKEN = "token-of-the-test"
SAID = {"judged": [], "looked": ["cmdline"], "os_label": None, "tag": None}


class Client:
    """A browser, as far as a server can tell."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookie = ""

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc)
        given = {"Cookie": self.cookie, **{name.title(): value for name, value in headers.items()}}
        connection.request(method, path, json.dumps(body) if body is not None else None, given)
        answer = connection.getresponse()
        text = answer.read().decode()
        self.cookie = answer.headers.get("set-cookie", self.cookie)
        self.headers = answer.headers
        connection.close()
        return answer.status, text

    def enter(self) -> None:
        assert self.ask("GET", f"/?token={TOKEN}")[0] == 303
        self.set_cookie, self.cookie = self.cookie, self.cookie.partition(";")[0]


@pytest.fixture
def store(tmp_path: Path):
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def client(served, store) -> Iterator[Client]:
    app = make_app([human_label("They ran whoami /all.").article], store, annotator="ann", token=TOKEN)
    with served(app) as address:
        yield Client(address)


def test_the_token_is_exchanged_for_a_cookie_that_scripts_and_other_sites_do_not_get(client: Client) -> None:
    client.enter()

    assert client.headers["location"] == "/"
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in client.set_cookie.split(";")}
    assert TOKEN not in client.set_cookie
    status, page = client.ask("GET", "/")
    assert (status, "<script" in page) == (200, True)
    assert client.headers["content-security-policy"].startswith("default-src 'self'")


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/page.js", "/api/articles", "/api/articles/0", "/?token="])
def test_without_the_token_nothing_is_seen(client: Client, path: str) -> None:
    status, why = client.ask("GET", path)

    assert (status, why.count("\n")) == (403, 1)
    assert "ctiforge label" in why


def test_a_page_of_another_origin_cannot_write(client: Client, store) -> None:
    client.enter()

    for origin in ("https://evil.invalid", "null", client.address.replace("127.0.0.1", "localhost")):
        assert client.ask("PUT", "/api/articles/0", SAID, origin=origin)[0] == 403
    assert client.ask("PUT", "/api/articles/0", SAID)[0] == 403
    assert list(read_labels(store)) == []
    assert client.ask("PUT", "/api/articles/0", SAID, origin=client.address)[0] == 200
    assert len(list(read_labels(store))) == 1


def test_another_name_for_this_machine_is_refused(client: Client) -> None:
    client.enter()

    assert client.ask("GET", "/api/articles", host="evil.invalid")[0] == 403
    assert client.ask("GET", f"/?token={TOKEN}", host="evil.invalid:80")[0] == 403


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {"tag": 5},
        SAID | {"looked": ["mutexes"]},
        SAID | {"os_label": "BeOS"},
        SAID | {"judged": [{"type": "cmdline", "value": " ", "verdict": "accepted"}]},
        SAID | {"judged": [{"type": "cmdline", "value": "x", "platform": "BeOS", "verdict": "accepted"}]},
        SAID | {"judged": [{"type": "cmdline", "value": "x", "verdict": "maybe"}]},
    ],
)
def test_what_is_no_label_is_refused_in_one_line(client: Client, store, body: object) -> None:
    client.enter()

    status, why = client.ask("PUT", "/api/articles/0", body, origin=client.address)

    assert (status, why.count("\n")) == (422, 0), why
    assert list(read_labels(store)) == []


def test_a_body_that_is_no_json_or_nested_too_deeply_is_refused(client: Client) -> None:
    client.enter()

    connection = http.client.HTTPConnection(urlsplit(client.address).netloc)
    for body in (b"", b"{", b"\xff", b"[" * 200_000):
        headers = {"Cookie": client.cookie, "Origin": client.address}
        connection.request("PUT", "/api/articles/0", body, headers)
        answer = connection.getresponse()
        assert (answer.status, b"what was sent is no label" in answer.read()) == (422, True), body[:9]
    connection.close()


def test_what_is_not_there_is_said(client: Client) -> None:
    client.enter()

    for path in ("/api/articles/7", "/api/articles/-1", "/../app.py", "/no.js"):
        assert client.ask("GET", path)[0] in (404, 422)


def test_the_command_prints_an_address_that_opens_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    found = [{"type": "services", "value": "Updater"}]
    line = {"id": "1", "content": "They ran whoami /all.", "labelled_by": "model", "observables": found}
    (tmp_path / "records.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "ctiforge", "label", "--input", ".", "--annotator", "ann", "--store", "store"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert "1 articles to label" in process.stdout.readline()
        address = urlsplit(process.stdout.readline().removeprefix("-> ").strip())
        client = Client(f"http://{address.netloc}")
        assert client.ask("GET", f"/?{address.query}")[0] == 303
        client.cookie = client.cookie.partition(";")[0]
        shown = json.loads(client.ask("GET", "/api/articles/0")[1])["candidates"]
        assert {(each["value"], each["origins"][0]["kind"]) for each in shown} == {
            ("whoami /all", "rule"),
            ("Updater", "model"),
        }
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        assert (process.wait(), "Traceback" in errors) == (0, False), errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--input", "missing.jsonl", "--annotator", "ann"), "no such file"),
        (("--input", ".", "--annotator", " "), "--annotator is empty"),
        (("--input", ".", "--annotator", "ann"), "holds none of records.jsonl"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run_here("label", *arguments, "--store", "store", cwd=tmp_path)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr
