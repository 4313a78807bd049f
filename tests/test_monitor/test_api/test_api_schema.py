"""The JSON API against its own document, by requests that keep it and requests that do not."""

import json
import urllib.error
import urllib.request
from typing import Any

import hypothesis
import pytest
import schemathesis
from support import page

from monitor.api import openapi
from monitor.api.endpoints import PREFIX, endpoints
from sinks.records import RECORDS

SCHEMA = schemathesis.openapi.from_dict(openapi.document())


@pytest.mark.parametrize("path", sorted(endpoints()))
def test_no_request_breaks_the_document_or_the_server(path: str, page_origin: str) -> None:
    operation = SCHEMA[path]["GET"]

    @hypothesis.given(case=operation.as_strategy())
    @hypothesis.settings(max_examples=8, deadline=None, derandomize=True, database=None)
    def keeps_it(case: Any) -> None:
        case.call_and_validate(base_url=f"{page_origin}{PREFIX}")

    keeps_it()


def get(origin: str, path: str, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(f"{origin}{PREFIX}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_document_names_every_endpoint_and_is_served(page_origin: str) -> None:
    status, document = get(page_origin, "/openapi.json")
    assert (status, sorted(document["paths"])) == (200, sorted(endpoints()))
    assert {"/verdicts", "/scores", "/profiles", "/performance", "/models"} <= set(document["paths"])
    row = document["components"]["schemas"]["DriftVerdictRow"]["properties"]
    assert list(row) == [field.name for field in RECORDS["drift_verdict"].fields]


def test_pages_follow_each_other_to_the_end(page_origin: str) -> None:
    offset: int | None = 0
    found = []
    while offset is not None:
        status, answer = get(page_origin, f"/windows?model={page.MODEL}&limit=7&offset={offset}")
        assert status == 200
        found += answer["items"]
        offset = answer["next_offset"]
    assert len(found) == 2 * 2 * page.N_WINDOWS
    assert found == sorted(found, key=lambda row: -row["window_end_ms"])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/verdicts", "model"),
        ("/verdicts?model=m&limit=0", "limit"),
        ("/verdicts?model=m&limit=two", "limit"),
        ("/verdicts?model=m&modle=m", "modle"),
        ("/verdicts?model=m&model=n", "twice"),
        ("/verdicts?model=m&drifted=perhaps", "drifted"),
    ],
)
def test_a_wrong_parameter_is_named(page_origin: str, path: str, said: str) -> None:
    status, answer = get(page_origin, path)
    assert status == 400
    assert said in answer["error"] + answer["hint"]


def test_what_is_not_there_is_told_as_such(page_origin: str) -> None:
    assert get(page_origin, "/nothing")[0] == 404
    assert get(page_origin, "/distribution?model=m&column=c&from_ms=0&to_ms=1")[0] == 404
    assert get(page_origin, "/models", Host="evil.example")[0] == 403
