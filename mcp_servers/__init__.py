"""Small real MCP servers: the demo, training data and test upstreams at once."""
