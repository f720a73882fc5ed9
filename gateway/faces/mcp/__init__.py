"""The MCP face: every server behind the gateway as one, of both protocol eras."""

from gateway.faces.mcp.http import McpFace, mount
from gateway.faces.mcp.offer import Address
from gateway.faces.mcp.stdio import serve_stdio

__all__ = ["Address", "McpFace", "mount", "serve_stdio"]
