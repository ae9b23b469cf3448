"""The program that prints the OpenAPI document of the service: `python -m app.openapi_document`."""

import json
import re
import sys
from typing import Any

from app.main import create_app
from app.settings import Settings

NUMBERS = re.compile(r"\[\s+([-\d.e+]+(?:,\s+[-\d.e+]+)*)\s+\]")


def as_text(document: dict[str, Any]) -> str:
    """Return a document as indented JSON, but with each list of numbers in one line: images have many."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return NUMBERS.sub(lambda numbers: f"[{', '.join(numbers[1].replace(',', '').split())}]", text) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_text(create_app(Settings()).openapi()))
