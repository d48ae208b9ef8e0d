"""The floor: the raw calls that a page needs, on a bare gRPC channel, and nothing else."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from collections_app.milvus.sdk import grpc, pb

from .places import Place

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]
IN_MEMORY = 1
AT_ONCE = 8
PAGE = 50


class ByHand:
    """Somebody who knows exactly what to ask. Safe to use from many threads."""

    def __init__(self, place: Place) -> None:
        from pymilvus.grpc_gen.milvus_pb2_grpc import MilvusServiceStub

        self._stub = MilvusServiceStub(grpc.insecure_channel(urlsplit(place.uri).netloc, OPTIONS))
        token = base64.b64encode(place.token.encode())
        self._metadata = (("authorization", token),) if place.token else ()
        self._place = place
        self._own = threading.local()
        self.first_page = sorted(self._show().collection_names)[:PAGE]

    def list_twice(self) -> None:
        """All collections, and those in memory."""
        self._show()
        self._show(type=IN_MEMORY)

    def page(self) -> None:
        """What one list page with details asks, eight rows at a time."""
        self.list_twice()
        for _ in self._pool().map(self._row, self.first_page):
            pass

    def drop(self, name: str) -> None:
        """TargetState, drop, look again."""
        where = {"db_name": self._place.spare_in, "collection_name": name}
        described = self._ask("DescribeCollection", pb.DescribeCollectionRequest(**where))
        assert described.collection_name == name, described.status
        self._ask("DropCollection", pb.DropCollectionRequest(**where))
        gone = self._ask("DescribeCollection", pb.DescribeCollectionRequest(**where))
        assert gone.status.code == 100, gone.status

    def rename(self, name: str, new: str) -> None:
        """Look, rename, look again."""
        where = {"db_name": self._place.spare_in}
        described = self._ask(
            "DescribeCollection", pb.DescribeCollectionRequest(**where, collection_name=name)
        )
        assert described.collection_name == name, described.status
        renaming = pb.RenameCollectionRequest(
            **where, oldName=name, newName=new, newDBName=self._place.spare_in
        )
        self._ask("RenameCollection", renaming)
        there = self._ask(
            "DescribeCollection", pb.DescribeCollectionRequest(**where, collection_name=new)
        )
        assert there.collectionID == described.collectionID, there.status

    def inspect(self, name: str) -> None:
        """All that the dialog of a drop reads, one after the other."""
        where = {"db_name": self._place.spare_in, "collection_name": name}
        self._ask("DescribeCollection", pb.DescribeCollectionRequest(**where))
        self._ask("ShowPartitions", pb.ShowPartitionsRequest(**where))
        self._ask("DescribeIndex", pb.DescribeIndexRequest(**where))
        self._ask("ListAliases", pb.ListAliasesRequest(**where))
        self._ask("GetCollectionStatistics", pb.GetCollectionStatisticsRequest(**where))
        self._ask("ShowCollections", pb.ShowCollectionsRequest(db_name=self._place.spare_in))
        in_memory = pb.ShowCollectionsRequest(db_name=self._place.spare_in, type=IN_MEMORY)
        self._ask("ShowCollections", in_memory)
        self._ask("GetVersion", pb.GetVersionRequest())

    def _show(self, **only: Any) -> Any:
        request = pb.ShowCollectionsRequest(db_name=self._place.database, **only)
        return self._ask("ShowCollections", request)

    def _row(self, name: str) -> None:
        where = {"db_name": self._place.database, "collection_name": name}
        self._ask("DescribeCollection", pb.DescribeCollectionRequest(**where))
        self._ask("GetCollectionStatistics", pb.GetCollectionStatisticsRequest(**where))
        self._ask("ListAliases", pb.ListAliasesRequest(**where))

    def _ask(self, rpc: str, request: Any) -> Any:
        return getattr(self._stub, rpc)(request, timeout=30, metadata=self._metadata)

    def _pool(self) -> ThreadPoolExecutor:
        """One for each thread, kept: making threads is no part of the floor."""
        if not hasattr(self._own, "pool"):
            self._own.pool = ThreadPoolExecutor(AT_ONCE)
        return self._own.pool  # type: ignore[no-any-return]
