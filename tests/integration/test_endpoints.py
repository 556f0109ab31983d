"""What each status of an endpoint comes to, for whoever asks one: a served model and a labeler."""

from collections.abc import Callable

import pytest

from ctiforge.endpoints import QUOTA_OVER, UNREACHED
from ctiforge.errors import CannotGoOnError, CtiforgeError, UsageError
from ctiforge.extract.answering.endpoint import Client, Endpoint, RefusedError
from ctiforge.osbert.labeling.openai_labeler import OpenAiLabeler
from ctiforge.osbert.opinions import Unlabeled
from ctiforge.store.objects import open_store
from tests.integration.endpoint import error

ASKED = UNREACHED + 2


def ask_a_model(url: str, _folder: str) -> CtiforgeError | None:
    client = Client(Endpoint(url, "m"))
    for _ in range(ASKED):
        try:
            client.chat([{"role": "user", "content": "article-x"}], 10, None)
        except RefusedError:
            continue
        except CtiforgeError as ended:
            return ended
    return None


def ask_for_labels(url: str, folder: str) -> CtiforgeError | None:
    articles = [Unlabeled(str(n), "A title", f"article-{n} runs schtasks.", str(n)) for n in range(ASKED)]
    try:
        given = [opinion for _, opinion in OpenAiLabeler(url, "m", open_store(folder), concurrency=1).label(articles)]
    except CtiforgeError as ended:
        return ended
    assert all(opinion.label is None and opinion.problem for opinion in given)
    return None


@pytest.mark.parametrize("ask", [ask_a_model, ask_for_labels])
@pytest.mark.parametrize(
    ("status", "code", "ends", "words"),
    [
        (400, None, None, ""),
        (401, None, UsageError, "the key is refused (401): check OPENAI_API_KEY"),
        (402, None, CannotGoOnError, "the account's limit is over (402)"),
        (403, None, UsageError, "the key is refused (403): check OPENAI_API_KEY"),
        (404, None, UsageError, "model 'm' or the address is not known there (404)"),
        (408, None, CannotGoOnError, f"{UNREACHED} times in a row (408: "),
        (409, None, CannotGoOnError, f"{UNREACHED} times in a row (409: "),
        (413, None, None, ""),
        (422, None, None, ""),
        (429, None, CannotGoOnError, f"{UNREACHED} times in a row (429: "),
        (429, QUOTA_OVER, CannotGoOnError, "the account's quota is over (429 insufficient_quota)"),
        (500, None, CannotGoOnError, f"{UNREACHED} times in a row (500: "),
        (502, None, CannotGoOnError, f"{UNREACHED} times in a row (502: "),
        (503, None, CannotGoOnError, f"{UNREACHED} times in a row (503: "),
        (529, None, CannotGoOnError, f"{UNREACHED} times in a row (529: "),
    ],
)
def test_a_status_means_the_same_to_both(
    serve, tmp_path, ask: Callable, status: int, code: str | None, ends: type | None, words: str
) -> None:
    endpoint = serve(lambda _asked: error(status, "no", code, retry_after_ms="1"))

    ended = ask(endpoint.url, str(tmp_path))

    assert type(ended) is (ends or type(None))
    assert words in str(ended)
    if ends and "in a row" not in words:
        assert len(endpoint.asked) == 1
    else:
        assert len(endpoint.asked) >= UNREACHED


@pytest.mark.parametrize("text", ["localhost:1234", "http:///v1", "ftp://host/v1", ""])
def test_what_is_no_address_is_refused_by_both(tmp_path, text: str) -> None:
    with pytest.raises(UsageError, match="is no endpoint"):
        Client(Endpoint(text, "m"))
    with pytest.raises(UsageError, match="is no endpoint"):
        OpenAiLabeler(text, "m", open_store(str(tmp_path)))
