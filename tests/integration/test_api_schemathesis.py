"""The API against its own OpenAPI document, by schemathesis: every check it has, on the real application and a desk.

`SERENO_SCHEMATHESIS=40` asks for more examples of each operation (its phases all, its stateful ones too); by itself
the test stays short.
"""

import os

import pytest
import schemathesis
from api_site import ApiSite
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from sereno.store import open_store

MORE = int(os.environ.get("SERENO_SCHEMATHESIS", "0"))
QUIETLY = {"database": None, "deadline": None, "derandomize": False, "suppress_health_check": list(HealthCheck)}


@pytest.fixture(scope="module", params=["tokens", "open"] if MORE else ["tokens"])
def site(request, tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("data"))
    with ApiSite(store, open_house=request.param == "open") as made:
        made.open_core()
        yield made
    store.dispose()


def described(site):
    config = schemathesis.Config.from_dict({"headers": site.headers()})
    return schemathesis.openapi.from_url(f"{site.page.url}/api/v1/openapi.json", config=config)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_it_does_what_its_document_says(site, mode):
    schema = described(site)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 50
    if not MORE:  # every other one with what is right, the rest with what is wrong
        operations = operations[list(GenerationMode).index(mode) :: 2]
    for operation in operations:

        @seed(7)
        @settings(max_examples=MORE or 1, phases=[Phase.generate], **QUIETLY)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            case.call_and_validate(headers=site.headers())

        try:
            ask()
        except Unsatisfiable:  # nothing can be wrong with a request that has no parameters
            assert mode is GenerationMode.NEGATIVE
            assert {one.name for one in operation.iter_parameters()} <= {"Authorization", "sereno_session"}
    assert site.faults == []


@pytest.mark.skipif(not MORE, reason="minutes: SERENO_SCHEMATHESIS=40")
def test_all_of_its_phases_find_nothing(site):
    schema = described(site)
    schema.config.generation.update(max_examples=MORE)
    found = []
    for event in from_schema(schema).execute():
        if isinstance(event, FatalError | NonFatalError):
            found.append(str(event.info if hasattr(event, "info") else event.exception))
        if isinstance(event, ScenarioFinished):
            for checks in event.recorder.checks.values():
                found += [f"{one.name}: {one.failure_info.failure}" for one in checks if one.failure_info is not None]
    assert found == []
    assert site.faults == []
