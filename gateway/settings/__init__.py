"""The settings: what a configuration may say, checked whole, then frozen and passed in.

Knows no files and no environment; `gateway.config` reads them and stands above.
"""
