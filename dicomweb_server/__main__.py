"""`python -m dicomweb_server` is the command `dicomweb-server`."""

import sys

from dicomweb_server.cli import main

sys.exit(main())
