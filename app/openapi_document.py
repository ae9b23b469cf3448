"""The program that prints the OpenAPI document of the service: `python -m app.openapi_document`."""

import json
import sys

from app.main import create_app
from app.settings import Settings

if __name__ == "__main__":
    sys.stdout.write(json.dumps(create_app(Settings()).openapi(), indent=2, ensure_ascii=False) + "\n")
