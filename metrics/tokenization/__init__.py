"""Which tokens of a text count, and where texts that share a beginning can be tokenized once.

May touch a tokenizer, never a model.
"""
