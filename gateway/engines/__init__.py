"""Engines run the base model with adapters. They know prompts and completions, not MCP."""
