"""What the log is told of one server: that it is down, and that its tools are gone."""

import logging

from gateway.toolsets.listing import Listing

logger = logging.getLogger(__name__)


def tell_down(server: str, error: str, listing: Listing | None, age_s: float | None) -> None:
    """The server cannot be used; its last good list, `age_s` seconds old, stays."""
    kept = ""
    if listing is not None and age_s is not None:
        kept = f"; its {len(listing.tools)} tools were listed {age_s:.0f} s ago"
    logger.warning(
        "server %s is down: %s%s", server, error, kept,
        extra={"event": "upstream_down", "server": server, "list_age_s": age_s},
    )  # fmt: skip


def tell_vanished(server: str, before: Listing | None) -> str:
    """The server lists no tools any more; gives back what was said, in words."""
    count = len(before.tools) if before is not None else 0
    said = f"lists no tools; before, it listed {count}"
    logger.warning(
        "server %s %s; calls to them are refused until it lists them again", server, said,
        extra={"event": "tools_vanished", "server": server, "tools_before": count},
    )  # fmt: skip
    return said
