"""Faces translate protocols in and out; they decide nothing."""
