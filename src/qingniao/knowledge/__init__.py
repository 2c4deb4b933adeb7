"""Knowledge: what the house knows: entries, their import, the index and the search in it."""
