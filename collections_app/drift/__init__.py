"""What happens behind our back: list, compare with the inventory, ask in doubt, record.

The inventory changes in the same transaction in which the event is recorded.
"""
