"""How long a connection that nobody uses may be kept for another request."""

KEEPALIVE_S = 2.0
"""In seconds. uvicorn (and so vLLM) and Node close a connection that was idle for five; a request
sent at that very moment fails, and is not sent again, for nobody can tell whether it was read."""
