"""One run of one variant of the harvest benchmark: `harvest_variants.py VARIANT FOLDER`, figures as JSON on stdout."""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any


def ours(url: str, out: Path, **cache: Any) -> tuple[int, int]:
    """The harvest of this project; returns (rows read, articles kept)."""
    from ctiforge.data.database import open_database
    from ctiforge.extract.harvest.harvest import HarvestOptions, harvest

    with open_database(url) as database:
        report = harvest(database.articles(**cache), [], [], HarvestOptions(), out, out)
    return report.read, report.kept


def again(url: str, out: Path) -> tuple[int, int]:
    """The same, where an earlier harvest left in a store what it read."""
    from ctiforge.store.objects import open_store

    return ours(url, out, cache_in=open_store(str(out / "store")))


def baseline(url: str, out: Path, near_duplicates: bool) -> tuple[int, int]:
    """The same with the ORM and everything in memory; returns (rows read, articles kept)."""
    from ctiforge.data.generations import read_result
    from ctiforge.data.identity import canonical_url, content_hash, fold
    from ctiforge.records.article import ArticleRecord

    rows = read_all(url)
    records: list[ArticleRecord] = []
    seen: set[str] = set()
    for article, execution in rows:
        outcome = read_result(execution.extraction_result)
        hash_ = content_hash(fold(article.content))
        page = canonical_url(article.canonical_url)
        if not outcome.labelled_types or hash_ in seen or page in seen:
            continue
        seen |= {hash_, page}
        records.append(
            ArticleRecord(
                id=str(article.id),
                url=article.canonical_url,
                title=article.title,
                content=article.content,
                content_hash=hash_,
                observables=outcome.observables,
                labelled_types=outcome.labelled_types,
                generation=outcome.generation,
                hunt_score=(article.article_metadata or {}).get("threat_hunting_score"),
                group=hash_[:16],
            )
        )
    if near_duplicates:
        records = without_near_duplicates(records)
    positives = sum(bool(record.observables) for record in records)
    negatives = int(positives * 0.25)
    kept = []
    for record in sorted(records, key=lambda record: int(record.id)):
        negatives -= not record.observables
        if record.observables or negatives >= 0:
            kept.append(record)
    with (out / "records.jsonl").open("w") as file:
        for record in kept:
            file.write(record.model_dump_json() + "\n")
    return len(rows), len(kept)


def read_all(url: str) -> list[Any]:
    """(article, execution) objects of the whole table."""
    from sqlalchemy import JSON, ForeignKey, create_engine, select
    from sqlalchemy.dialects.postgresql import JSONB
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

    class Base(DeclarativeBase):
        pass

    class ArticleTable(Base):
        __tablename__ = "articles"
        id: Mapped[int] = mapped_column(primary_key=True)
        canonical_url: Mapped[str]
        title: Mapped[str]
        content: Mapped[str]
        article_metadata: Mapped[dict[str, Any]] = mapped_column(JSON)

    class ExecutionTable(Base):
        __tablename__ = "agentic_workflow_executions"
        id: Mapped[int] = mapped_column(primary_key=True)
        article_id: Mapped[int] = mapped_column(ForeignKey("articles.id"))
        status: Mapped[str]
        extraction_result: Mapped[dict[str, Any]] = mapped_column(JSONB)

    session = Session(create_engine(url.replace("postgresql://", "postgresql+psycopg2://")))
    query = select(ArticleTable, ExecutionTable).join(ExecutionTable, ExecutionTable.article_id == ArticleTable.id)
    return list(session.execute(query.order_by(ArticleTable.id)).all())


def without_near_duplicates(records: list[Any]) -> list[Any]:
    """The first of each group of near duplicates: shingles of three words, rensa's own index."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=16)
    kept = []
    signatures = []
    for record in records:
        words = record.content.lower().split()
        signature = RMinHash(num_perm=128, seed=1)
        signature.update([" ".join(words[n : n + 3]) for n in range(len(words) - 2)])
        if any(signature.jaccard(signatures[near]) >= 0.8 for near in index.query(signature)):
            continue
        index.insert(len(signatures), signature)
        signatures.append(signature)
        kept.append(record)
    return kept


def peak_megabytes() -> float:
    """Peak resident memory of this process since it was started."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match
    return int(match[1]) / 1024


if __name__ == "__main__":
    variant, folder = sys.argv[1], Path(sys.argv[2])
    database_url = os.environ["DATABASE_URL"]
    if variant == "again":
        again(database_url, folder)
    started, cpu = time.perf_counter(), time.process_time()
    if variant in ("ours", "before"):
        read, kept = ours(database_url, folder)
    elif variant == "again":
        read, kept = again(database_url, folder)
    else:
        read, kept = baseline(database_url, folder, near_duplicates=variant == "baseline")
    seconds = time.perf_counter() - started
    figures = {"variant": variant, "rows": read, "kept": kept, "seconds": seconds}
    print(json.dumps(figures | {"cpu_seconds": time.process_time() - cpu, "peak_mb": peak_megabytes()}))
