"""From an order to a page: variety, proportions, exposure, and places kept for what nobody has tried."""
