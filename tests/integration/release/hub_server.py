"""A Hugging Face Hub in memory: as much of its protocol as publishing needs, and ways to misbehave."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

TOKEN = "hf_aTokenThatNobodyMaySee"
_DATASETS = "datasets/"
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Commit:
    """A commit with the whole of its tree."""

    id: str
    title: str
    files: dict[str, bytes]


@dataclass
class Repo:
    """A repository; the last commit is the head."""

    private: bool
    commits: list[Commit]
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1].files


@dataclass
class Fault:
    """What happens instead of an answer to the next `times` requests that match `what` ("METHOD path", a regex)."""

    what: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": "out of order"}'
    cut: str = ""
    """`before` the work is done, or `after` it: the connection ends without an answer."""
    hangs: bool = False
    """No answer comes for a second."""
    damage: bool = False
    """The answer has one byte changed, its length and headers are right."""
    first: Callable[[], None] | None = None
    """Somebody else is quicker."""
    times: int = 1


@dataclass
class FakeHub:
    """What the Hub holds, what was asked of it, and what goes wrong."""

    endpoint: str = ""
    user: dict[str, Any] = field(
        default_factory=lambda: {
            "type": "user",
            "name": "ana",
            "orgs": [{"name": "team", "roleInOrg": "write"}],
            "auth": {"accessToken": {"role": "write"}},
        }
    )
    repos: dict[str, Repo] = field(default_factory=dict)
    """By `owner/name`; of a dataset `datasets/owner/name`."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add_repo(self, name: str, private: bool = False) -> Repo:
        repo = self.repos[name] = Repo(private, [])
        self.commit(name, "initial commit", {".gitattributes": b"*.safetensors filter=lfs\n"})
        return repo

    def commit(self, name: str, title: str, files: dict[str, bytes]) -> str:
        commits = self.repos[name].commits
        identity = hashlib.sha1(repr((name, len(commits), title, sorted(files))).encode()).hexdigest()
        commits.append(Commit(identity, title, files))
        return identity

    def answer(self, method: str, path: str, body: bytes, token: str) -> Answer:
        """The answer to one request."""
        url = urlsplit(path)
        for pattern, handler, public in _ROUTES:
            match = re.fullmatch(pattern, f"{method} {unquote(url.path)}")
            if match:
                if not public and token != f"Bearer {TOKEN}":
                    return _json(401, {"error": "Invalid credentials in Authorization header"})
                found = match.groupdict()
                if "repo" in found and found["repo"] not in self.repos:
                    return 404, {"X-Error-Code": "RepoNotFound"}, b'{"error": "Repository not found"}'
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                return handler(self, body=body, query=query, **found)
        return _json(404, {"error": f"no such thing: {method} {path}"})

    def whoami(self, **_: Any) -> Answer:
        return _json(200, self.user)

    def search(self, query: dict[str, str], kind: str, **_: Any) -> Answer:
        wanted = query["search"].lower()
        names = [name for name in self.repos if name.startswith(_DATASETS) == (kind == "datasets")]
        found = [name.removeprefix(_DATASETS) for name in names if wanted in name.lower()]
        return _json(200, [{"id": name, "modelId": name} for name in found])

    def create(self, body: bytes, **_: Any) -> Answer:
        asked = json.loads(body)
        prefix = _DATASETS if asked.get("type") == "dataset" else ""
        name = f"{prefix}{asked['organization'] or self.user['name']}/{asked['name']}"
        if name in self.repos:
            return _json(409, {"error": "You already created this model repo", "url": f"{self.endpoint}/{name}"})
        self.add_repo(name, private=asked.get("visibility") == "private")
        return _json(200, {"url": f"{self.endpoint}/{name}"})

    def info(self, repo: str, revision: str | None = None, **_: Any) -> Answer:
        commit = self._find(repo, revision or "main")
        if commit is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        return _json(
            200, {"id": repo.removeprefix(_DATASETS), "sha": commit.id, "private": self.repos[repo].private, "tags": []}
        )

    def refs(self, repo: str, **_: Any) -> Answer:
        there = self.repos[repo]
        tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": c} for n, c in there.tags.items()]
        head = {"name": "main", "ref": "refs/heads/main", "targetCommit": there.commits[-1].id}
        return _json(200, {"tags": tags, "branches": [head], "converts": []})

    def tree(self, repo: str, revision: str, **_: Any) -> Answer:
        commit = self._find(repo, revision)
        if commit is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        entries: list[dict[str, Any]] = []
        for path, data in commit.files.items():
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": _git_sha1(data)}
            if _is_large(path):
                entry["lfs"] = {"oid": _sha256(data), "size": len(data), "pointerSize": 130}
                entry["oid"] = "the sha1 of a pointer"
            entries.append(entry)
        return _json(200, entries)

    def history(self, repo: str, **_: Any) -> Answer:
        commits = [
            {"id": c.id, "title": c.title, "message": "", "authors": [{"user": "ana"}], "date": "2026-01-05T00:00:00Z"}
            for c in reversed(self.repos[repo].commits)
        ]
        return _json(200, commits)

    def validate(self, body: bytes, **_: Any) -> Answer:
        content = json.loads(body)["content"]
        metadata = yaml.safe_load(content.split("---")[1])
        errors = [] if metadata.get("license") != "no-such" else [{"message": '"license" must be one of [...]'}]
        return _json(400 if errors else 200, {"errors": errors, "warnings": []})

    def preupload(self, body: bytes, repo: str, **_: Any) -> Answer:
        files = []
        for each in json.loads(body)["files"]:
            there = self.repos[repo].files.get(each["path"])
            large = _is_large(each["path"])
            oid = None if there is None else _sha256(there) if large else _git_sha1(there)
            mode = "lfs" if large else "regular"
            files.append({"path": each["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return _json(200, {"files": files})

    def batch(self, body: bytes, **_: Any) -> Answer:
        objects = []
        for each in json.loads(body)["objects"]:
            entry: dict[str, Any] = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.blobs:
                upload = {"href": f"{self.endpoint}/lfs/{each['oid']}?Signature=a-signed-secret"}
                entry["actions"] = {"upload": upload, "verify": {"href": f"{self.endpoint}/lfs-verify"}}
            objects.append(entry)
        return _json(200, {"transfer": "basic", "objects": objects})

    def put_blob(self, body: bytes, oid: str, **_: Any) -> Answer:
        if _sha256(body) != oid:
            return _json(400, {"error": "wrong content"})
        self.blobs[oid] = body
        return _json(200, {})

    def get_blob(self, oid: str, **_: Any) -> Answer:
        return 200, {"ETag": f'"{oid}"'}, self.blobs[oid]

    def verify(self, body: bytes, **_: Any) -> Answer:
        return _json(200 if json.loads(body)["oid"] in self.blobs else 404, {})

    def make_commit(self, body: bytes, repo: str, **_: Any) -> Answer:
        lines = [json.loads(line) for line in body.splitlines()]
        header, there = lines[0]["value"], self.repos[repo]
        if header.get("parentCommit") != there.commits[-1].id:
            return _json(412, {"error": "A commit has happened since. Please refresh and try again."})
        files = dict(there.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.blobs[value["oid"]]
            else:
                del files[value["path"]]
        made = self.commit(repo, header["summary"], files)
        return _json(200, {"commitUrl": f"{self.endpoint}/{repo}/commit/{made}", "commitOid": made})

    def make_tag(self, body: bytes, repo: str, revision: str, **_: Any) -> Answer:
        tag = json.loads(body)["tag"]
        if tag in self.repos[repo].tags:
            return _json(409, {"error": "Tag reference exists already"})
        self.repos[repo].tags[tag] = revision
        return _json(200, {})

    def resolve(self, repo: str, revision: str, path: str, **_: Any) -> Answer:
        commit = self._find(repo, revision)
        if commit is None or path not in commit.files:
            return 404, {"X-Error-Code": "EntryNotFound"}, b"{}"
        data, headers = commit.files[path], {"X-Repo-Commit": commit.id}
        if not _is_large(path):
            return 200, headers | {"ETag": f'"{_git_sha1(data)}"'}, data
        sha256 = _sha256(data)
        # elsewhere, as with the real one: the token must not go there
        elsewhere = f"{self.endpoint.replace('127.0.0.1', 'localhost')}/lfs/{sha256}"
        linked = {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(data)), "Location": elsewhere}
        return 302, headers | linked, b""

    def _find(self, repo: str, revision: str) -> Commit | None:
        there = self.repos[repo]
        wanted = there.commits[-1].id if revision == "main" else there.tags.get(revision, revision)
        return next((commit for commit in there.commits if commit.id == wanted), None)


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    """The fake on a free port of this machine."""
    hub = FakeHub()

    class Handler(_Handler):
        state = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield hub
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FakeHub

    def do_GET(self) -> None:
        request = f"{self.command} {self.path}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.state.lock:
            self.state.requests.append(request)
            fault = next((f for f in self.state.faults if f.times and re.search(f.what, request)), None)
            if fault:
                fault.times -= 1
                if fault.first:
                    fault.first()
            if fault and fault.status:
                return self._answer(fault.status, {"Content-Type": "application/json", **fault.headers}, fault.body)
            if fault and fault.cut == "before":
                return self._cut()
            status, headers, data = self.state.answer(
                self.command, self.path, body, self.headers.get("Authorization", "")
            )
        if fault and fault.hangs:
            threading.Event().wait(1)
        if fault and fault.cut == "after":
            return self._cut()
        if fault and fault.damage:
            data = bytes([data[0] ^ 1]) + data[1:]
        return self._answer(status, headers, data)

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, *args: object) -> None:
        """Stay silent."""

    def _cut(self) -> None:
        self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _json(status: int, value: Any) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _is_large(path: str) -> bool:
    return path.endswith(".safetensors")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


_NAME = r"(?P<repo>(?:datasets/)?[^/]+/[^/]+)"
_REPO = rf"/api/(?:models/)?{_NAME}"
_FILE = rf"/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)"
_ROUTES: list[tuple[str, Callable[..., Answer], bool]] = [
    (r"GET /api/whoami-v2", FakeHub.whoami, False),
    (r"GET /api/(?P<kind>models|datasets)", FakeHub.search, True),
    (r"POST /api/repos/create", FakeHub.create, False),
    (rf"GET {_REPO}(/revision/(?P<revision>[^/]+))?", FakeHub.info, False),
    (rf"GET {_REPO}/refs", FakeHub.refs, False),
    (rf"GET {_REPO}/tree/(?P<revision>[^/]+)", FakeHub.tree, False),
    (rf"GET {_REPO}/commits/main", FakeHub.history, False),
    (r"POST /api/validate-yaml", FakeHub.validate, True),
    (rf"POST {_REPO}/preupload/main", FakeHub.preupload, False),
    (rf"POST /{_NAME}\.git/info/lfs/objects/batch", FakeHub.batch, False),
    (r"PUT /lfs/(?P<oid>\w+)", FakeHub.put_blob, True),
    (r"(GET|HEAD) /lfs/(?P<oid>\w+)", FakeHub.get_blob, True),
    (r"POST /lfs-verify", FakeHub.verify, False),
    (rf"POST {_REPO}/commit/main", FakeHub.make_commit, False),
    (rf"POST {_REPO}/tag/(?P<revision>[^/]+)", FakeHub.make_tag, False),
    (rf"(GET|HEAD) {_FILE}", FakeHub.resolve, False),
]
