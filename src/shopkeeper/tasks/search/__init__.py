"""Search: `task` answers; finding, facets, paging, relaxing, explaining, and suggestions while typing."""
