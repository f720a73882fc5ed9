"""The LLM that takes over what the router leaves."""
