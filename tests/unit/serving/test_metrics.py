"""Figures in Prometheus' text format."""

from ctiforge.serving.metrics import Metrics


def test_counters_gauges_and_seconds() -> None:
    metrics = Metrics()
    metrics.count("requests_total", agent="a", outcome="answered")
    metrics.count("requests_total", agent="a", outcome="answered")
    metrics.count("requests_total", agent='q"\n\\', outcome="refused")
    for seconds in (0.01, 0.3, 400):
        metrics.took("a", seconds)
    lines = metrics.text({"queue": 3, "ready": True}).decode().splitlines()
    assert 'ctiforge_serve_requests_total{agent="a",outcome="answered"} 2.0' in lines
    assert r'ctiforge_serve_requests_total{agent="q\"\n\\",outcome="refused"} 1.0' in lines
    assert "ctiforge_serve_queue 3.0" in lines
    assert "ctiforge_serve_ready 1.0" in lines
    buckets = [line.split("le=")[1] for line in lines if line.startswith("ctiforge_serve_seconds_bucket")]
    assert (buckets[0], buckets[3], buckets[-1]) == ('"0.05"} 1.0', '"0.5"} 2.0', '"+Inf"} 3.0')
    assert 'ctiforge_serve_seconds_count{agent="a"} 3.0' in lines
    names = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {line.split("{")[0].split()[0] for line in lines if line[0] != "#"} - names == {
        f"ctiforge_serve_seconds_{each}" for each in ("bucket", "sum", "count")
    }
