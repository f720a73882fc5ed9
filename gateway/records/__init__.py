"""What is kept: calls and their labels, and what the gateway is wanted to be."""

from gateway.records.records import Records

__all__ = ["Records"]
