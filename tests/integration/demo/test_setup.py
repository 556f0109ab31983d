import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg2
import pytest

from ctiforge.data.testsets import list_testsets, load_testset
from ctiforge.demo.setup import load_demo_into
from ctiforge.errors import UsageError
from ctiforge.osbert.labeling.keywords import find_evidence
from ctiforge.records.article import OS_LABELS
from ctiforge.store.objects import open_store

PROGRAM = Path(__file__).parents[3] / "jobs" / "demo_database.py"


@pytest.fixture
def empty_database(database_url) -> str:
    """A database without any table."""
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE agentic_workflow_executions, articles, sources")
    connection.close()
    return database_url


def test_both_test_sets_are_registered_once(empty_database, tmp_path) -> None:
    store = open_store(str(tmp_path / "store"))

    demo = load_demo_into(empty_database, store.uri, find_evidence)
    again = load_demo_into(empty_database, store.uri, find_evidence)

    assert again == demo
    assert [each.reference for each in list_testsets(store)] == [demo.test_set, demo.os_test_set]
    test_set, articles = load_testset(store, demo.os_test_set)
    assert test_set.labelled_types == {"os_label": 90}
    assert Counter(record.os_label for record in articles) == dict.fromkeys(OS_LABELS, 18)
    assert "© 2025 The MITRE Corporation" in test_set.note


def test_load_names_both_test_sets_and_no_password(empty_database, tmp_path) -> None:
    command = [sys.executable, str(PROGRAM), "load", "--store", str(tmp_path / "store")]
    environment = os.environ | {"DATABASE_URL": empty_database}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == {"test_set": "demo@1", "os_test_set": "demo-os@1"}


def test_a_database_with_other_articles_is_refused(database_url, tmp_path) -> None:
    with pytest.raises(UsageError, match="not the demo's"):
        load_demo_into(database_url, str(tmp_path / "store"), find_evidence)
