"""Identifiers that a conversation gives: read in any usual spelling, offered, and asked for."""
