"""MCP servers, and the toolsets that are chosen from them."""

import re
from typing import Any, Literal, cast

from pydantic import Field, SecretStr, model_validator

from gateway.settings.part import SERVER_NAME, Headers, Part, Url


class ServerConfig(Part):
    """One MCP server: either a `command` to run (stdio) or a `url` (Streamable HTTP).

    With `hold_changes`, a new or changed tool counts only once a person approved it.
    """

    name: str = Field(pattern=SERVER_NAME)
    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, SecretStr] = Field(default={})
    cwd: str | None = None
    url: Url | None = None
    headers: Headers = Field(default={})
    prefix: str = Field(default="", max_length=32, pattern=r"^[A-Za-z0-9_-]*$")
    timeout_s: float = Field(default=30.0, gt=0, le=3600)
    poll_s: float = Field(default=60.0, gt=0)
    mode: Literal["auto", "legacy"] = "auto"
    hold_changes: bool = False

    @model_validator(mode="after")
    def _one_transport(self) -> "ServerConfig":
        if (self.command is None) == (self.url is None):
            raise ValueError("a server needs exactly one of `command` and `url`")
        return self

    def shown(self) -> dict[str, Any]:
        """The configuration with every secret redacted, for lists and logs."""
        value = self.model_dump(mode="json", exclude_defaults=True) | {"name": self.name}
        if self.url is not None:
            value["url"] = re.sub(r"(?<=//)[^/?#]*@", "**********@", self.url)
        return value

    def stored(self) -> dict[str, Any]:
        """The configuration with its secrets, for the records alone."""
        value = self.model_dump(mode="json", exclude_defaults=True) | {"name": self.name}
        for key in ("env", "headers"):
            secrets = cast(dict[str, SecretStr], getattr(self, key))
            if secrets:
                value[key] = {name: secret.get_secret_value() for name, secret in secrets.items()}
        return value


class ToolsetConfig(Part):
    """A named selection of tools: whole servers, or an allow list of tool names.

    A server may be registered later, at run time; until then the toolset is not live. Every
    server is also a toolset of its own, under its own name, unless one is configured so.
    """

    name: str = Field(pattern=SERVER_NAME)
    servers: tuple[str, ...]
    tools: tuple[str, ...] | None = None
