"""The Pointsman gateway: routes, checks and dispatches an agent's tool calls over MCP."""
