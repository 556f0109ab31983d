"""The server: OpenAI's protocol as far as the application speaks it, LM Studio's model list, health and figures."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ctiforge.progress import warn
from ctiforge.records.profile import Profile
from ctiforge.serving.agents import why_unanswered
from ctiforge.serving.chat import Chat, ChatOptions
from ctiforge.serving.intake import KeyGuard, LoopGuard, read_body, read_object, read_request, refuse
from ctiforge.serving.metrics import CONTENT_TYPE, Metrics
from ctiforge.serving.openai_shapes import RefusalError, model_list, studio_list, studio_loaded
from ctiforge.serving.rollout import Rollout
from ctiforge.serving.streaming import EventStream
from ctiforge.serving.upstream import Upstream

_PASSED_ON = ("completions", "embeddings", "responses")
_AGAIN_SECONDS = 5


@dataclass(frozen=True)
class DoorLimits:
    """What the server lets in."""

    api_key: str | None = None
    """What clients have to send; None: nothing."""
    largest_body: int = 8_000_000
    """Bytes of a request."""
    under_way: int = 256
    """Requests at once; each may hold a body in memory."""


class Door:
    """What the server knows of itself: whether it is stopping, and how many requests are under way."""

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout
        self.stopping = False
        self.under_way = 0

    def let_go(self) -> None:
        """Note that a request has ended."""
        self.under_way -= 1

    @property
    def not_ready(self) -> str | None:
        """Say why requests should go elsewhere; None where it is ready."""
        return "it is being stopped" if self.stopping else self._rollout.not_ready


def make_app(
    profile: Profile,
    rollout: Rollout,
    metrics: Metrics,
    *,
    upstream: Upstream | None = None,
    options: ChatOptions,
    limits: DoorLimits = DoorLimits(),
) -> FastAPI:
    """Make the server's application.

    Args:
        profile: How the application asks, and what it expects.
        rollout: Which model answers.
        metrics: Where figures are counted.
        upstream: Where everything else goes; None: it is refused.
        options: How requests are answered.
        limits: What is let in.

    Returns:
        The application; its `state.door.stopping` makes it say that it is not ready.
    """
    chat = Chat(profile, rollout, metrics, upstream, options)
    door = Door(rollout)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if upstream:
            await upstream.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.door = door
    app.add_middleware(KeyGuard, key=limits.api_key)
    if upstream:
        app.add_middleware(LoopGuard, name=upstream.name)
    app.add_exception_handler(HTTPException, _no_such_place)

    def ids() -> list[str]:
        engine = rollout.engine
        return [*((engine.loaded.id,) if engine else ()), *options.aliases]

    async def guarded(request: Request, answer: Callable[[bytes], Awaitable[Response]]) -> Response:
        """Read the body and answer; whatever goes wrong is told in OpenAI's shape, and none of the body in a log."""
        if door.under_way >= limits.under_way:
            words = f"{limits.under_way} requests are under way already: ask again in {_AGAIN_SECONDS} s"
            metrics.count("requests_total", agent="none", outcome="busy")
            return refuse(RefusalError(429, words, "busy", retry_after=_AGAIN_SECONDS))
        door.under_way += 1
        response: Response | None = None
        try:
            response = await answer(await read_body(request, limits.largest_body))
            return response
        except RefusalError as error:
            return refuse(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            warn(f"a request could not be answered: {type(error).__name__}")
            return refuse(RefusalError(500, f"the server failed: {type(error).__name__}", "failed"))
        finally:
            if isinstance(response, EventStream):
                response.at_end(door.let_go)
            else:
                door.let_go()

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        async def answer(body: bytes) -> Response:
            return await chat.answer(read_request(body))

        return await guarded(request, answer)

    @app.get("/v1/models")
    async def list_models() -> Any:
        return model_list(ids(), await upstream.models() if upstream else ())

    @app.get("/v1/models/{name:path}")
    async def show_model(name: str) -> Any:
        if name in ids():
            return model_list([name])["data"][0]
        found = [each for each in (await upstream.models() if upstream else ()) if each.get("id") == name]
        return found[0] if found else refuse(RefusalError(404, f"there is no model {name[:80]!r}", "model_not_found"))

    @app.get("/api/v1/models")
    async def list_studio_models() -> Any:
        others = await upstream.studio_models() if upstream else ()
        return studio_list(ids(), others, is_loaded=rollout.engine is not None)

    @app.post("/api/v1/models/load")
    async def load_model(request: Request) -> Response:
        async def answer(body: bytes) -> Response:
            name = read_object(body).get("model")
            if not name or name in ids():
                if rollout.engine is None:
                    words = f"no model answers now: {rollout.not_ready}"
                    raise RefusalError(503, words, "not_ready", retry_after=_AGAIN_SECONDS)
                return JSONResponse(studio_loaded(str(name or ids()[0])))
            if upstream is None:
                raise RefusalError(404, f"there is no model {str(name)[:80]!r}", "model_not_found")
            return _as_it_is(*await upstream.studio_load(body))

        return await guarded(request, answer)

    @app.post("/v1/{path}")
    async def pass_on(path: str, request: Request) -> Response:
        async def answer(body: bytes) -> Response:
            if path not in _PASSED_ON or upstream is None:
                words = f"/v1/{path[:80]} is not answered here" + (": name an --upstream" if path in _PASSED_ON else "")
                raise RefusalError(404, words, "not_found")
            return _as_it_is(*await upstream.post(path, body))

        return await guarded(request, answer)

    @app.get("/healthz")
    async def is_alive() -> Response:
        engine = rollout.engine
        # a device that failed is only mended by a new process; an engine elsewhere mends itself
        fault = engine.fault if engine and not engine.loaded.engine else None
        return JSONResponse({"alive": fault is None, "why": fault}, status_code=503 if fault else 200)

    @app.get("/readyz")
    async def is_ready() -> Response:
        why = door.not_ready
        return JSONResponse({"ready": why is None, "why": why, **describe(profile, rollout)}, 503 if why else 200)

    @app.get("/metrics")
    async def show_metrics() -> Response:
        engine = rollout.engine
        gauges = {
            "queue": engine.queue if engine else 0,
            "under_way": door.under_way,
            "ready": door.not_ready is None,
            "champion_version": (engine.loaded.version or 0) if engine else 0,
            "champion_wanted": rollout.wanted or 0,
            "cache_bytes": engine.cache.bytes if engine else 0,
        }
        return Response(metrics.text(gauges), media_type=CONTENT_TYPE)

    return app


def describe(profile: Profile, rollout: Rollout) -> dict[str, Any]:
    """Say what answers, which agents it answers, and why the champion is not in use where it is not."""
    engine = rollout.engine
    if engine is None:
        return {"model": None, "champion": rollout.wanted, "rollout": rollout.trouble, "agents": {}}
    agents = {}
    for agent in profile.agent:
        why = why_unanswered(profile, agent, engine.loaded.types, engine.loaded.why_not)
        agents[agent] = {"answered": why is None, "why": why}
    canary = engine.loaded.canary
    return {
        "model": engine.loaded.id,
        "champion": rollout.wanted,
        "rollout": rollout.trouble,
        "canary": f"{len(canary.windows)} windows answered as in the evaluation" if canary else "none is kept",
        "agents": agents,
    }


def _as_it_is(status: int, body: bytes, media_type: str) -> Response:
    return Response(body, status_code=status, media_type=media_type)


async def _no_such_place(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} is not answered there" if error.status_code == 405 else "ask under /v1"
    response = refuse(RefusalError(error.status_code, f"{error.detail}: {where}", "not_found"))
    # for a wrong method those that are answered
    response.headers.update(error.headers or {})
    return response
