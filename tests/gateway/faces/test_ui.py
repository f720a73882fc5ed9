"""`/ui`: a page without secrets, whose script reads what the operator's API really has."""

import re
from html.parser import HTMLParser
from pathlib import Path

from tests.gateway.serving import desk, served, settings

READ = re.compile(r'"(/(?:admin|readyz)[^"]*)"')
PLACE = re.compile(r'place\("([^"]+)"\)|^  (\w+): \["/admin', re.MULTILINE)


class Page(HTMLParser):
    """The ids and the addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        self.loads += [found[name] or "" for name in ("src", "href") if name in found]


async def test_the_page_needs_no_key_and_may_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    config = settings(tmp_path, desk(tmp_path / "desk").config(), auth={"admin_keys": ["secret"]})
    async with served(config) as gateway:
        answer = await gateway.client.get("/ui")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        loads = Page(answer.text).loads
        assert len(loads) == 2
        for path in loads:
            assert (await gateway.client.get(path)).is_success
        assert (await gateway.client.get("/admin/drift")).status_code == 401


async def test_the_script_reads_what_is_there_and_fills_places_of_the_page(tmp_path: Path) -> None:
    async with served(settings(tmp_path, desk(tmp_path / "desk").config())) as gateway:
        script = (await gateway.client.get("/ui/page.js")).text
        paths = READ.findall(script)
        assert len(set(paths)) == 6
        for path in paths:
            assert (await gateway.client.get(path)).is_success, path
        page = Page((await gateway.client.get("/ui")).text)
        assert {one or other for one, other in PLACE.findall(script)} == {
            "ready", "key", "key-form", "drift", "adapters", "servers", "held", "calls",
        }  # fmt: skip
        assert {one or other for one, other in PLACE.findall(script)} <= page.ids
        assert "innerHTML" not in script
