"""Upstreams, and the catalog of everything they offer."""
