"""What the tests of the OpenAPI description share: the description, and how an answer is not as it
declares."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx
from jsonschema_rs import Draft202012Validator

from gateway.app import build_app
from gateway.config import Config
from gateway.faces import admin_answers, answers
from gateway.faces.openai import answers as openai_answers


def described() -> dict[str, Any]:
    return build_app(Config()).openapi()


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def resolved(description: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """What a value refers to, or itself. Raises KeyError for a reference to nothing."""
    found = description
    for part in value["$ref"].removeprefix("#/").split("/") if "$ref" in value else ():
        found = found[part]
    return found if "$ref" in value else value


def closed(description: dict[str, Any]) -> dict[str, Any]:
    """The description with every answer of ours bound to the members that it declares."""
    value = deepcopy(description)
    for module in (answers, admin_answers, openai_answers):
        for name in vars(module):
            schema = value["components"]["schemas"].get(name, {"additionalProperties": True})
            schema.setdefault("additionalProperties", False)
    return value


def faults_of(description: dict[str, Any], path: str, response: httpx.Response) -> list[str]:
    """How an answer is not what its operation declares, in words."""
    operation = description["paths"][path][response.request.method.lower()]
    declared = operation["responses"].get(str(response.status_code))
    if declared is None:
        return [f"status {response.status_code} is not declared"]
    content = resolved(description, declared)["content"]
    media_type = response.headers["content-type"].partition(";")[0]
    if media_type not in content:
        return [f"content type {media_type} is not declared"]
    if not media_type.endswith("json"):
        return []
    schema = {**content[media_type]["schema"], "components": description["components"]}
    errors = Draft202012Validator(schema).iter_errors(response.json())
    return [f"{error.instance_path}: {error.message}" for error in errors]
