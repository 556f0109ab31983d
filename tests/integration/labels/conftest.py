import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from ctiforge.labels.page.serving import HOST, listen, make_server


@pytest.fixture
def served() -> Callable[[Any], AbstractContextManager[str]]:
    """Serves an application on a free port of this machine; gives its address."""

    @contextmanager
    def serve(app: Any) -> Iterator[str]:
        socket = listen(0)
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        try:
            yield f"http://{HOST}:{socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

    return serve
