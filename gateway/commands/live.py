"""An adapter folder beside the tools that a running gateway serves now.

The adapter need not be in service: it is compared on the gateway's toolset that it was trained for.
"""

from pathlib import Path

from gateway.adapters.active import Active, drift_of
from gateway.commands.client import Gateway
from gateway.commands.output import CANNOT_TELL, CommandFailed
from gateway.errors import PointsmanError
from gateway.manifest import read_adapter
from gateway.types import Toolset


def beside(gateway: Gateway, folder: Path) -> Active:
    """The adapter as if it served; without live tools until every server has listed.

    Raises:
        CommandFailed: the folder is no adapter, or the gateway has no such toolset.
    """
    try:
        adapter = read_adapter(folder)
    except PointsmanError as exc:
        raise CommandFailed(str(exc), CANNOT_TELL) from exc
    name = adapter.manifest.toolset
    unlisted = [s for s in gateway.get("/admin/servers")["servers"] if s["listed_at"] is None]
    answer = gateway.get("/v1/tools")
    listed = next((t["tools"] for t in answer["toolsets"] if t["name"] == name), None)
    if listed is None:
        raise CommandFailed(f"the gateway has no toolset {name!r}", CANNOT_TELL)
    if unlisted or not listed:
        return Active(adapter, name)
    tools = {tool["name"]: tool for tool in answer["tools"]}
    own = [{k: v for k, v in tools[tool].items() if k != "server"} for tool in listed]
    live = Toolset.from_json({"name": name, "tools": own})
    return Active(adapter, name, live, drift_of(adapter, live.by_name))
