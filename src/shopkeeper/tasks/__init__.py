"""What the shop does: one file a task, each answering a `Request` with an `Answer`."""
