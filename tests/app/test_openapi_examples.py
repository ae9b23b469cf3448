from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from openapi_schema_validator import OAS31Validator

from app.settings import Settings
from inkling.digit import Gray
from tests.support.openapi import operations, resolved
from tests.support.services import connect


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the contents of the request and of the answers, each with a name."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request, {media_type}", content
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            yield f"{status}, {media_type}", content


def examples_of(document: dict[str, Any], content: dict[str, Any]) -> list[Any]:
    """Return the examples of a content, of its schema, or of the schema's items."""
    found = [example["value"] for example in content.get("examples", {}).values()]
    found += [content["example"]] if "example" in content else []
    schema = resolved(document, content["schema"])
    of_items = resolved(document, schema.get("items", {})).get("examples", [])
    return found + schema.get("examples", []) + ([of_items] if of_items else [])


def holds_binary(schema: dict[str, Any]) -> bool:
    """Whether JSON cannot express an example: a file, or a form of files."""
    fields = [schema, *(field.get("items", field) for field in schema.get("properties", {}).values())]
    return any(field.get("format") == "binary" or "contentMediaType" in field for field in fields)


def test_every_request_and_answer_has_an_example(document: dict[str, Any]) -> None:
    without = []
    for name, operation in operations(document):
        for place, content in contents(operation):
            if not (holds_binary(resolved(document, content["schema"])) or examples_of(document, content)):
                without.append(f"{name} {place}")
        required = [parameter for parameter in operation.get("parameters", []) if parameter["required"]]
        without += [f"{name} {field['name']}" for field in required if "examples" not in field["schema"]]
    assert without == []


def test_examples_are_valid(document: dict[str, Any]) -> None:
    checked = 0
    for name, operation in operations(document):
        for place, content in contents(operation):
            schema = {**content["schema"], "components": document["components"]}  # to which its references lead
            for example in examples_of(document, content):
                errors = [error.message for error in OAS31Validator(schema).iter_errors(example)]
                assert errors == [], (name, place)
                checked += 1
    assert checked > 100


@pytest.mark.anyio
async def test_examples_of_json_bodies_work_when_sent(settings: Settings, document: dict[str, Any]) -> None:
    async with connect(settings.model_copy(update={"feedback": "on"})) as client:
        assert await _send_examples(client, document) >= 3  # /predict, /train, /versions/current


async def _send_examples(client: httpx.AsyncClient, document: dict[str, Any]) -> int:
    """Send the example of every JSON body, check that it is accepted, and return their number."""
    sent = 0
    for name, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        schema = resolved(document, content["schema"])
        examples = [example["value"] for example in content.get("examples", {}).values()]
        examples += schema.get("examples", [])
        examples += [content["example"]] if "example" in content else []
        method, path = name.split()
        if not any(status.startswith("2") for status in operation["responses"]):  # always refused
            continue
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", str(parameter["schema"]["examples"][0]))
        required = [item for item in operation.get("parameters", ()) if item["in"] == "query" and item["required"]]
        query = {item["name"]: item["schema"]["examples"][0] for item in required}
        for example in examples:
            response = await client.request(method, path, json=example, params=query)
            assert response.is_success, (name, response.text)
            sent += 1
    return sent


@pytest.mark.anyio
async def test_answer_of_explain_has_the_documented_form(
    client: httpx.AsyncClient, document: dict[str, Any], digits: Gray
) -> None:
    content = document["paths"]["/explain"]["post"]["responses"]["200"]["content"]["application/json"]
    headers = {"Content-Type": "application/octet-stream"}
    answer, example = (
        (await client.post("/explain", content=digits[3].tobytes(), headers=headers)).json(),
        content["example"],
    )
    assert answer.keys() == example.keys() == set(resolved(document, content["schema"])["required"])
    assert answer["prediction"].keys() == example["prediction"].keys()
    assert np.shape(answer["contributions"]) == np.shape(example["contributions"]) == (28, 28)
    assert np.sum(example["contributions"]) == example["logit"] - example["baseline_logit"]


@pytest.mark.anyio
async def test_answer_of_predict_has_the_documented_form(
    client: httpx.AsyncClient, document: dict[str, Any], digits: Gray
) -> None:
    content = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]
    headers = {"Content-Type": "application/octet-stream"}
    answer = (await client.post("/predict", content=digits[3].tobytes(), headers=headers)).json()
    assert answer.keys() == content["example"].keys()
    assert answer["predictions"][0].keys() == content["example"]["predictions"][0].keys()
    assert answer.keys() == set(resolved(document, content["schema"])["required"])
