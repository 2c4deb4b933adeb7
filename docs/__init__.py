"""The scripts behind the generated pages of `docs/reference`; not part of the package."""
