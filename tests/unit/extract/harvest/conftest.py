import pytest

from ctiforge.extract.harvest.harvest import HarvestOptions, harvest
from ctiforge.records.article import read_records


@pytest.fixture
def run(tmp_path):
    def go(articles, *, held_out=(), urls=(), labels=None, **options):
        report = harvest(
            articles, held_out, urls, HarvestOptions(**options), tmp_path, tmp_path / "scratch", labels=labels
        )
        assert report.read == report.kept + report.excluded.total()
        assert list((tmp_path / "scratch").iterdir()) == []
        return report, read_records(tmp_path / "records.jsonl"), (tmp_path / "records.jsonl").read_bytes()

    return go
