"""Rows from other people's files: one reader a source, one gate for all of them."""
