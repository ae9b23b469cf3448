"""`python -m app.cli`: the command `inkling`."""

import sys

from app.cli import main

sys.exit(main())
