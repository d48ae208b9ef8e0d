"""A believable sample for the demo: two databases, about twenty collections, in Milvus Lite."""

import random
from dataclasses import dataclass
from typing import Any

from .connection import Connection
from .sdk import DataType, MilvusClient

DIM = 8
LONG_NAME = "embeddings_of_everything_" + "reindexed_again_" * 14 + "final"
ODD_NAME = 'Q3 "sales" <b>50% & more '  # trailing space: real servers keep it too


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One collection of the sample."""

    name: str
    rows: int = 0
    loaded: bool = False
    partitions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    partition_key: bool = False
    description: str = ""


QUARTERS = tuple(f"y{year}_q{quarter}" for year in (2024, 2025, 2026) for quarter in (1, 2, 3, 4))
LIBRARY = ("novel", "essay", "poem")
SAMPLES = {
    "default": (
        Sample(
            name="article_embeddings_v7",
            rows=900,
            loaded=True,
            aliases=("articles", "articles_live"),
            description="What the site's search reads",
        ),
        Sample(
            name="article_embeddings_v6", rows=850, description="Kept until v7 has proved itself"
        ),
        Sample(name="article_embeddings_v5"),
        Sample(name="billing_disputes", rows=120, loaded=True),
        Sample(name="book", rows=400, partitions=LIBRARY, aliases=("books",), loaded=True),
        Sample(name="book_v2", rows=420, partitions=LIBRARY),
        Sample(name="customized_setup_2"),
        Sample(name="events_by_quarter", rows=600, partitions=QUARTERS),
        Sample(name="faces_2024_q1_reindex_attempt_do_not_use", rows=64),
        Sample(name="image_search", rows=300, loaded=True),
        Sample(name="quick_setup_test"),
        Sample(name="support_tickets", rows=256, loaded=True),
        Sample(
            name="tenants",
            rows=200,
            partition_key=True,
            description="One tenant never sees another",
        ),
        Sample(name="user_profiles", rows=150, aliases=("profiles",)),
    ),
    "analytics": (
        Sample(name="clickstream", rows=500, partitions=("weekday", "weekend")),
        Sample(name="experiment_41"),
        Sample(name="experiment_42", rows=80),
        Sample(name=LONG_NAME, rows=10),
        Sample(name=ODD_NAME, rows=25, partitions=("west & east",)),
        Sample(name="recommendations", rows=340, loaded=True, aliases=("recs",)),
        Sample(name="übersicht_日本", rows=15),
    ),
}


def fill(connection: Connection) -> int:
    """Create the sample, unless it was created before. Returns how many collections it made."""
    client = connection.client("default")
    if "analytics" in client.list_databases():
        return 0
    client.create_database("analytics")
    return sum(_fill_database(connection, database) for database in SAMPLES)


def _fill_database(connection: Connection, database: str) -> int:
    client, chance = connection.client(database), random.Random(7)  # noqa: S311
    for sample in SAMPLES[database]:
        _create(client, sample, chance)
    return len(SAMPLES[database])


def _create(client: MilvusClient, sample: Sample, chance: random.Random) -> None:
    """Milvus Lite forgets load states when it closes: indexed ones come back not loaded, others
    loaded. So the loaded ones get no index.
    """
    index = client.prepare_index_params()
    index.add_index("vector", index_type="HNSW", metric_type="COSINE", M=16, efConstruction=64)
    client.create_collection(
        sample.name,
        schema=_schema(client, sample),
        index_params=None if sample.loaded else index,
    )
    for partition in sample.partitions:
        client.create_partition(sample.name, partition)
    for alias in sample.aliases:
        client.create_alias(sample.name, alias)
    _insert(client, sample, chance)


def _schema(client: MilvusClient, sample: Sample) -> Any:
    schema = client.create_schema(enable_dynamic_field=True, description=sample.description)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("title", DataType.VARCHAR, max_length=200)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIM)
    if sample.partition_key:
        schema.add_field("tenant", DataType.VARCHAR, max_length=40, is_partition_key=True)
    return schema


def _insert(client: MilvusClient, sample: Sample, chance: random.Random) -> None:
    """Spread the rows unevenly over the partitions, as life does."""
    rows = [_row(number, sample, chance) for number in range(sample.rows)]
    partitions = sample.partitions or (None,)
    for place, partition in enumerate(partitions):
        share = [row for row in rows if min(row["id"] % 10, len(partitions) - 1) == place]
        if share:
            where = {"partition_name": partition} if partition else {}
            client.insert(sample.name, share, **where)


def _row(number: int, sample: Sample, chance: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": number,
        "title": f"{sample.name[:20]} {number}",
        "vector": [chance.random() for _ in range(DIM)],
    }
    return row | {"tenant": f"tenant-{number % 9}"} if sample.partition_key else row


def close_embedded() -> None:
    """Let go of Milvus Lite's file, which only one process may hold."""
    from milvus_lite.server_manager import server_manager_instance  # noqa: PLC0415

    server_manager_instance.release_all()
