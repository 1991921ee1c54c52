"""``python -m maskreg`` is the command ``maskreg``."""

import sys

from maskreg.cli import main

sys.exit(main())
