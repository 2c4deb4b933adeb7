"""`python -m qingniao` is the `qingniao` command."""

from qingniao.cli import main

raise SystemExit(main())
