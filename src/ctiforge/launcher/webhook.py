"""Tells a webhook what came of a run."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable

from ctiforge.launcher.result import Result

TIMEOUT_S = 10
WAITS_S = (1.0, 4.0, 10.0)
"""Before each further try."""


def message(result: Result) -> dict[str, object]:
    """Give what is sent: the run, how it ended, and the stage with its cause. Pure."""
    run, stage = result.run, result.stage
    return {
        "text": result.words,
        "result": result.kind,
        "run": run.id,
        "line": run.line,
        "state": run.state,
        "exit_code": run.exit_code,
        "reason": run.reason,
        "stage": stage.name if stage else None,
        "cause": stage.cause.model_dump(mode="json") if stage and stage.cause else None,
    }


def send(url: str, result: Result, wait: Callable[[float], object]) -> str | None:
    """Post the message as JSON, again after a while where it may yet be taken: 429, 5xx or no answer.

    Args:
        url: The webhook's URL, which is a secret.
        result: What is told.
        wait: Waits so many seconds.

    Returns:
        What went wrong at the last try, in words without the URL; None where it was taken.
    """
    if not url.startswith(("https://", "http://")):
        return "the webhook's URL is neither http nor https"
    data = json.dumps(message(result)).encode()
    problem, may_pass = _post(url, data)
    for seconds in WAITS_S:
        if not may_pass:
            break
        wait(seconds)
        problem, may_pass = _post(url, data)
    return problem


def _post(url: str, data: bytes) -> tuple[str | None, bool]:
    """Post once; give what went wrong, and whether it may be otherwise soon."""
    try:
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            return None, False
    except urllib.error.HTTPError as error:
        error.close()
        return f"the webhook answered {error.code}", error.code == 429 or error.code >= 500
    except (ValueError, http.client.InvalidURL):
        return "the webhook's URL is none", False
    except (OSError, http.client.HTTPException) as error:
        return f"the webhook does not answer ({type(error).__name__})", True
