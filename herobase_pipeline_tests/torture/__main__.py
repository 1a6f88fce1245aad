"""``python -m herobase_pipeline_tests.torture``."""

import sys

from herobase_pipeline_tests.torture.campaign import main

if __name__ == "__main__":
    sys.exit(main())
