"""`python -m plugin`."""

import sys

from plugin._cli import main

if __name__ == "__main__":
    sys.exit(main())
