"""A receiver of OTLP over HTTP, which decodes what is pushed to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


class Receiver:
    """Takes metrics of one line, `extract`, and tells of the last push."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], ExportMetricsServiceRequest]] = []
        self.url = ""
        self.status = 200

    def last(self) -> dict[str, dict[str, float]]:
        """Values of the last push by metric, and by what tells its points apart."""
        found: dict[str, dict[str, float]] = {}
        for metric in self._metrics():
            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                labels = {each.key: each.value.string_value for each in point.attributes}
                assert labels.pop("line") == "extract"
                value = point.as_double if point.WhichOneof("value") == "as_double" else point.as_int
                found.setdefault(metric.name, {})[next(iter(labels.values()), "")] = value
        return found

    def _metrics(self) -> list[Any]:
        (resource,) = self.asked[-1][2].resource_metrics
        (scope,) = resource.scope_metrics
        return list(scope.metrics)

    def sums(self) -> list[Any]:
        return [metric.sum for metric in self._metrics() if metric.WhichOneof("data") == "sum"]

    def resource(self) -> dict[str, str]:
        (found,) = self.asked[-1][2].resource_metrics
        return {each.key: each.value.string_value for each in found.resource.attributes}


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.asked.append((self.path, headers, ExportMetricsServiceRequest.FromString(body)))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True).start()
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        yield receiver
        server.shutdown()
