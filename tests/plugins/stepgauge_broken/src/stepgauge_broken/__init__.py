"""A plugin that fails while it is imported."""

raise RuntimeError("this plugin needs a licence server that does not answer")
