"""Changes made outside Milvus Admin: list, compare with the inventory, confirm, record.

The inventory changes in the same transaction in which the event is recorded.
"""
