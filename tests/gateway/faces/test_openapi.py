"""The OpenAPI description is valid and whole, and says who needs a key."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi.openapi.models import OpenAPI
from jsonschema_rs import meta

from gateway.config import AuthConfig
from tests.gateway.faces.described import described, faults_of, operations, resolved
from tests.gateway.serving import served, settings

SUCCESS = ("200", "201")
ANSWERS_ANYONE = {"/healthz", "/readyz"}
OPENAI = re.compile(r"/v1/(chat/completions|models|responses)")


def references(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_the_description_is_valid_and_refers_to_nothing_that_is_not_there() -> None:
    description = described()
    assert description["openapi"].startswith("3.1.")
    OpenAPI.model_validate(description)
    assert all(resolved(description, reference) for reference in references(description))
    for schema in description["components"]["schemas"].values():
        meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
    for _, path, operation in operations(description):
        named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)", path))


def test_every_operation_has_an_id_a_summary_and_a_model_of_its_answer() -> None:
    found = list(operations(described()))
    ids = [operation["operationId"] for _, _, operation in found]
    assert len(set(ids)) == len(ids) >= 31
    for method, path, operation in found:
        assert re.fullmatch(r"\S.*[^.\s]", operation["summary"]), (method, path)
        (status,) = operation["responses"].keys() & {*SUCCESS}
        for content in operation["responses"][status]["content"].values():
            told = content.get("itemSchema") or content["schema"]
            assert "$ref" in told or told["type"] in ("string", "object"), (method, path, told)


def test_every_operation_declares_its_problems_once_for_all() -> None:
    description = described()
    for method, path, operation in operations(description):
        responses = operation["responses"]
        problems = {s: r for s, r in responses.items() if s not in SUCCESS and "$ref" in r}
        assert problems.keys() == responses.keys() - {*SUCCESS} - (
            {"503"} if path == "/readyz" else set()
        )
        assert problems.keys() >= {"403", "413", "429"}, (method, path)
        assert ("401" in problems) == (path not in ANSWERS_ANYONE) == ("security" in operation)
        assert ("422" in problems) == ("requestBody" in operation or path == "/admin/calls")
        for status, problem in problems.items():
            (media_type,) = resolved(description, problem)["content"]
            assert media_type == "application/problem+json"
            openai = OPENAI.match(path) is not None and status not in ("403", "413", "429")
            assert openai == problem["$ref"].split("/")[-1].startswith("OpenAi")


async def test_what_declares_401_is_what_needs_a_key(tmp_path: Path) -> None:
    keys = AuthConfig(agent_keys=("agent-key",), admin_keys=("admin-key",))  # type: ignore[arg-type]
    description = described()
    async with served(settings(tmp_path, adapter=False, auth=keys)) as gateway:
        for method, path, operation in operations(description):
            response = await gateway.client.request(method, path)
            assert (response.status_code == 401) == ("401" in operation["responses"]), path
            headers = {"authorization": "Bearer agent-key"}
            response = await gateway.client.request(method, path, headers=headers)
            assert (response.status_code == 403) == path.startswith("/admin/"), path
            assert faults_of(description, path, response) == []
