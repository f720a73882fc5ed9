"""Adapters: where versions are kept, which are in service, and how one takes over from another."""
