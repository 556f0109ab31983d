import psycopg2
import pytest

from ctiforge.demo.postgres import running_port, start_postgres, stop_postgres
from tests.integration.conftest import postgres_folder


@pytest.fixture
def folder():
    with postgres_folder() as path:
        yield path


def test_the_server_starts_once_stops_and_keeps_its_data(folder) -> None:
    url = start_postgres(folder)
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (n integer)")
    connection.close()

    assert start_postgres(folder) == url
    stop_postgres(folder)
    assert running_port(folder) is None
    stop_postgres(folder)
    connection = psycopg2.connect(start_postgres(folder))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kept")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_an_interrupted_set_up_is_made_again(folder) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "half").touch()

    assert start_postgres(folder).startswith("postgresql://ctiforge:")
