"""Tells a webhook that a run ended badly."""

import json
import urllib.error
import urllib.request

from ctiforge.records.run import RunRecord

TIMEOUT_S = 10


def message(run: RunRecord) -> dict[str, object]:
    """Give what is sent: the run, how it ended, and the stage with its cause. Pure."""
    stage = next((each for each in run.stages if each.state in ("failed", "interrupted")), None)
    cause = stage.cause.summary if stage and stage.cause else None
    words = f"{run.id} {run.state}" + (f" at {stage.name}" if stage else "") + (f": {cause}" if cause else "")
    return {
        "text": words,
        "run": run.id,
        "line": run.line,
        "state": run.state,
        "exit_code": run.exit_code,
        "stage": stage.name if stage else None,
        "cause": stage.cause.model_dump() if stage and stage.cause else None,
    }


def send(url: str, run: RunRecord) -> str | None:
    """Post the message as JSON; gives back what went wrong, in words without the URL, or None."""
    if not url.startswith(("https://", "http://")):
        return "the webhook's URL is neither http nor https"
    request = urllib.request.Request(
        url, json.dumps(message(run)).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            return None
    except urllib.error.HTTPError as error:
        return f"the webhook answered {error.code}"
    except (OSError, ValueError) as error:
        return f"the webhook does not answer ({type(error).__name__})"
