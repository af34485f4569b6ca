"""`python -m imp_verify.cli`, for where no script is installed."""

import sys

from imp_verify.cli import main

sys.exit(main())
