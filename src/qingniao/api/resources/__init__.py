"""One file per noun of `docs/reference/http.md`."""
