"""The only import of pymilvus and grpc, tamed: no .env, no settings of its own, no tracebacks.

At import pymilvus pours a stray .env file into our environment, reads MILVUS_URI (a file's path
stops it) and sends tracebacks to stderr for errors that we catch and word ourselves.
"""

import logging
import os

os.environ.setdefault("PYTHON_DOTENV_DISABLED", "1")
_hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("MILVUS_")}
try:
    import grpc
    from pymilvus import DataType, FunctionType, MilvusClient
    from pymilvus.client.connection_manager import ConnectionConfig, ConnectionManager
    from pymilvus.exceptions import MilvusException, ParamError
    from pymilvus.grpc_gen import milvus_pb2 as pb
    from pymilvus.grpc_gen import schema_pb2
    from pymilvus.grpc_gen.common_pb2 import ErrorCode, ObjectPrivilege
finally:
    os.environ.update(_hidden)

logging.getLogger("pymilvus").handlers.clear()
logging.getLogger("pymilvus").propagate = True
for _name in (
    "pymilvus.decorators",
    "pymilvus.client.connection_manager",
    "milvus_lite",
    "grpc._server",
    "faiss.loader",
):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

__all__ = [
    "ConnectionConfig",
    "ConnectionManager",
    "DataType",
    "ErrorCode",
    "FunctionType",
    "MilvusClient",
    "MilvusException",
    "ObjectPrivilege",
    "ParamError",
    "grpc",
    "pb",
    "schema_pb2",
]
