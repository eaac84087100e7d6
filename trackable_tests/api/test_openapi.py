"""The description: a valid one, made of what validates, and true of what is answered."""

from typing import Any

from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from trackable.api.operations import OPERATIONS
from trackable_tests.api.conftest import Get, pages, permit
from trackable_tests.testapp.models import Page, PageData

#: operation -> where it can be asked for here
PATHS = {
    "index": "",
    "series": "testapp.PageData/views/series/",
    "total": "testapp.PageData/revenue/total/",
    "top": "testapp.PageData/views/top/",
}


def described(get: Get) -> dict[str, Any]:
    found: dict[str, Any] = get("openapi.json").json()
    return found


def validator(description: dict[str, Any], name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": description["components"]}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_description_is_valid(get: Get) -> None:
    OpenAPIV31SpecValidator(described(get)).validate()


def test_every_operation_and_parameter_is_described(get: Get) -> None:
    paths = described(get)["paths"]
    found = {
        operation["operationId"]: [each["name"] for each in operation["parameters"]]
        for path in paths.values()
        for operation in path.values()
    }
    assert found == {each.name: [p.name for p in each.parameters] for each in OPERATIONS}


def test_answers_are_as_described(get: Get) -> None:
    pages(4, 2)
    description = described(get)
    for operation in OPERATIONS:
        answer = get(PATHS[operation.name]).json()
        validator(description, operation.schema).validate(answer)
    validator(description, "Total").validate(get(PATHS["total"], object=[1, "x"]).json())
    validator(description, "Series").validate(get("testapp.PageHours/views/series/").json())
    validator(description, "Problem").validate(get(PATHS["top"], x="x").json())


def test_what_the_description_refuses_is_refused(get: Get) -> None:
    for operation in OPERATIONS:
        for parameter in operation.of("query"):
            schema = Draft202012Validator(parameter.schema())
            for text in ("", "\0", "x" * 256, "0", "-1", "day", "csv", "2026-01-01"):
                numbers = parameter.schema().get("type") == "integer"
                value: Any = int(text) if numbers and text.lstrip("-").isdigit() else text
                value = [value] if parameter.at_most > 1 else value
                if not schema.is_valid(value):
                    response = get(PATHS[operation.name], **{parameter.name: text})
                    assert response.status_code == 400, (operation.name, parameter.name, text)


def test_names_are_those_that_the_caller_may_see(client: Client) -> None:
    def names() -> list[str] | None:
        path = client.get("/counts/openapi.json").json()["paths"]["/{data_class}/{field}/top/"]
        found: list[str] | None = path["get"]["parameters"][0]["schema"].get("enum")
        return found

    assert names() is None
    client.force_login(permit(Page, PageData))
    assert names() == ["testapp.PageData"]
