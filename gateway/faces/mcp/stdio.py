"""The MCP face for clients that start a process: one address over stdin and stdout."""

from mcp.server.stdio import stdio_server

from gateway.faces.mcp.offer import Address
from gateway.faces.mcp.server import McpServer
from gateway.faces.parts import Parts


async def serve_stdio(parts: Parts, address: Address) -> None:
    """Serve until stdin ends. The parts must be running.

    Raises:
        NotFound: there is no such toolset.
    """
    server = McpServer(parts, address)
    server.offers.get(address)
    async with stdio_server() as (read, write):
        try:
            await server.run(read, write, server.create_initialization_options())
        finally:
            server.news.close()
