"""Milvus Lite: embedded, in a folder of its own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from .milvus_server import MilvusServer


@contextlib.contextmanager
def lite() -> Iterator[MilvusServer]:
    """A fresh, empty Milvus Lite. Opening it again by the same path sees the same data."""
    from milvus_lite.server_manager import server_manager_instance

    with TemporaryDirectory(prefix="milvus-lite-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "demo.db"
        try:
            yield MilvusServer(str(path), token="")
        finally:
            server_manager_instance.release_server(str(path))
