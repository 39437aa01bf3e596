"""Evidence for claims: corpora on disk, their indexes, and the retrievers that search them."""
