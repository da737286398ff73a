"""How each model is learned: a store in, a `Bundle` out."""
