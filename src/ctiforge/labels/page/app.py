"""The page's server: articles and their candidates go out, what a person says of them comes in and is saved."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from ctiforge.data.labels import PREFIX, label_key, labels_of, load_label, write_label
from ctiforge.errors import CtiforgeError
from ctiforge.extract.answering.regex_floor import RegexFloor
from ctiforge.labels.page.candidates import Origin, TextPlaces, candidate_key, merge_candidates
from ctiforge.labels.page.guard import TokenGuard
from ctiforge.labels.page.guide import read_guide
from ctiforge.labels.page.state import label_of, state_of
from ctiforge.observables.locate import Locator
from ctiforge.records.article import OS_LABELS, ArticleRecord
from ctiforge.records.base import explain
from ctiforge.records.human_label import HumanLabel
from ctiforge.records.labeling_page import PageState
from ctiforge.records.observable import PLATFORMS, TYPES
from ctiforge.store.objects import ObjectStore

ArticleOrigins = Callable[[ArticleRecord], Sequence[Origin]]
_MEDIA = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_OPEN_ARTICLES = 8
_LARGEST_BODY = 32 << 20


class LabelConflictError(Exception):
    """Somebody else wrote the label since the page read it."""


class LabelDesk:
    """The articles that one person labels, and the registry that keeps what they say."""

    def __init__(
        self, articles: Sequence[ArticleRecord], store: ObjectStore, annotator: str, origins: ArticleOrigins
    ) -> None:
        self.articles = articles
        self.annotator = annotator
        self._store = store
        self._machines = lru_cache(_OPEN_ARTICLES)(lambda number: _read_by_machines(articles[number], origins))

    def progress(self) -> list[dict[str, Any]]:
        """List the articles with the types that the person looked at in each."""
        there = {info.key for info in self._store.list(PREFIX)}
        rows = []
        for article in self.articles:
            is_labeled = label_key(article.content_hash, self.annotator) in there
            label = self._load(article)[0] if is_labeled else None
            rows.append({"id": article.id, "title": article.title, "looked": state_of(label).looked})
        return rows

    def show(self, number: int) -> dict[str, Any]:
        """Show one article: its text, the candidates, what the person said, and the tag of that version of it."""
        article = self.articles[number]
        label, tag = self._load(article)
        state = state_of(label)
        places, machines = self._machines(number)
        others = [
            Origin("person", "", (*each.article.observables, *each.positives))
            for each in labels_of(self._store, article.content_hash)
            if each.annotator.strip().casefold() != self.annotator.strip().casefold()
        ]
        candidates = merge_candidates(places, [Origin("own", self.annotator, state.judged), *others, *machines])
        return {
            "number": number,
            "id": article.id,
            "title": article.title,
            "url": article.url or "",
            "text": article.content,
            "candidates": [each.model_dump(mode="json") for each in candidates],
            "judged": [
                {"key": candidate_key(each.type, each.value), "verdict": each.verdict, "platform": each.platform}
                for each in state.judged
            ],
            "looked": state.looked,
            "os_label": state.os_label,
            "tag": tag,
        }

    def save(self, number: int, state: PageState, tag: str | None) -> str | None:
        """Write what the person says in the place of the version that the page read; the tag of the new one.

        Raises LabelConflictError where there is another version by now.
        """
        article = self.articles[number]
        known, current = self._load(article)
        label = label_of(state, article, self.annotator, known)
        if label == known or (known is None and tag is None and state == PageState()):
            return current
        if current != tag or not write_label(self._store, label, tag):
            raise LabelConflictError
        written, current = self._load(article)
        if written != label:
            raise LabelConflictError
        return current

    def _load(self, article: ArticleRecord) -> tuple[HumanLabel | None, str | None]:
        return load_label(self._store, article.content_hash, self.annotator) or (None, None)


def make_app(
    articles: Sequence[ArticleRecord],
    store: ObjectStore,
    *,
    annotator: str,
    token: str,
    guide: Path | None = None,
    origins: ArticleOrigins = lambda article: (),
) -> FastAPI:
    """Make the page's server.

    Args:
        articles: What is to be labeled, each text once.
        store: The store of the registry.
        annotator: The name of the person who labels.
        token: What the page's address has to hold when it is first opened.
        guide: The team's file of what counts; None: the one that ships. It is read anew with each load of the page.
        origins: What models and people found in an article; rules are asked here.

    Returns:
        The application; whoever serves it binds it to this machine alone.
    """
    desk = LabelDesk(articles, store, annotator, origins)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TokenGuard, token=token)
    app.add_exception_handler(CtiforgeError, lambda _, error: JSONResponse({"error": str(error)}, status_code=503))
    statics = {item.name: item.read_bytes() for item in files(__package__).joinpath("static").iterdir()}

    @app.get("/api/articles")
    def list_articles() -> Any:
        return {
            "annotator": annotator,
            "articles": desk.progress(),
            "types": TYPES,
            "platforms": PLATFORMS,
            "os_labels": OS_LABELS,
            "guide": read_guide(guide),
        }

    @app.get("/api/articles/{number}")
    def show_article(number: int) -> Any:
        return _as_json(desk.show(number)) if 0 <= number < len(articles) else _no_article(number)

    @app.put("/api/articles/{number}")
    async def save_article(number: int, request: Request) -> Any:
        from starlette.concurrency import run_in_threadpool

        if not 0 <= number < len(articles):
            return _no_article(number)
        try:
            state, tag = _read_state(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": explain(error, "what was sent")}, status_code=422)
        except ValueError as error:
            return JSONResponse({"error": f"what was sent is no label: {error}"}, status_code=422)
        try:
            return {"tag": await run_in_threadpool(desk.save, number, state, tag)}
        except LabelConflictError:
            return _as_json({"article": await run_in_threadpool(desk.show, number)}, status_code=409)

    @app.get("/{name:path}")
    def static(name: str) -> Response:
        name = name or "page.html"
        if name not in statics:
            return JSONResponse({"error": f"there is no {name[:80]!r}"}, status_code=404)
        return Response(statics[name], media_type=_MEDIA[Path(name).suffix])

    return app


def _read_by_machines(article: ArticleRecord, origins: ArticleOrigins) -> tuple[TextPlaces, list[Origin]]:
    rules = RegexFloor()
    found = Origin("rule", "rules", rules.extract(article.content).observables)
    return TextPlaces(Locator(article.content)), [*origins(article), found]


def _read_state(body: bytes) -> tuple[PageState, str | None]:
    """Read what the page sends; half pairs of characters become what a harvest makes of them."""
    if len(body) > _LARGEST_BODY:
        raise ValueError("it is too large")
    try:
        sent = json.loads(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(sent, dict) or not isinstance(sent.get("tag"), str | None):
        raise ValueError("it is an object with judged, looked, os_label and tag")
    state = {name: each for name, each in sent.items() if name != "tag"}
    text = json.dumps(state, ensure_ascii=False).encode("utf-8", "replace")
    return PageState.model_validate_json(text), sent.get("tag")


def _as_json(value: dict[str, Any], status_code: int = 200) -> Response:
    # ASCII: a text may hold what UTF-8 does not
    return Response(json.dumps(value), status_code=status_code, media_type="application/json")


def _no_article(number: int) -> JSONResponse:
    return JSONResponse({"error": f"there is no article {number}"}, status_code=404)
