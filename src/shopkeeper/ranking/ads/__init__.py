"""Clicks and sales of what is shown for money: features, models, budgets, bandits, uplift."""
