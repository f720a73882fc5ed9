"""The order desk of an online shop as an MCP server: `python -m mcp_servers.support`.

`server` speaks MCP and knows tools by name; `orders`, `aftersales` and `shop` hold the business
rules, one function a tool; `desk` is what they stand on, a SQLite database that `seed` fills.
"""
