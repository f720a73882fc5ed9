"""The verbs of the command line: each asks a gateway over HTTP, or is one, and shows the answer."""
