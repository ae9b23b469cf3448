import json

from tests.clients.conftest import Workshop


def test_redocly_finds_nothing(workshop: Workshop) -> None:
    report = workshop.run("redocly", "lint", "--extends=recommended", "--format=json", "openapi.json")
    assert json.loads(report)["problems"] == []


def test_spectral_finds_nothing(workshop: Workshop) -> None:
    workshop.run("spectral", "lint", "--ruleset=spectral.yaml", "--fail-severity=hint", "openapi.json")
